//! What a filter's constructor is given: its own section is an argument of its own, this is the rest.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use document::{Mistake, Mistakes, Place};
use policy::{Device, PolicySet};

use crate::{BoxFuture, Clock, Endpoint, HealthBoard};

/// What outlives a generation of the configuration.
#[derive(Clone)]
pub struct Services {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where counters are registered.
    pub metrics: Arc<metrics::Metrics>,
    /// Where state is kept on disk (mode 0700).
    pub state_dir: PathBuf,
    /// What is out of order.
    pub health: HealthBoard,
    /// What filters keep from one generation to the next.
    pub survivors: Survivors,
    /// Whether the gateway serves, or only looks at its configuration.
    pub purpose: Purpose,
}

/// Why a configuration is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To serve: state may be made and kept.
    Serve,
    /// To look (`check`, `explain`): nothing is written, nothing runs in the background.
    Look,
}

/// Knows devices by name, for those who ask about one that is not connected (`explain`).
pub trait Directory: Send + Sync + 'static {
    /// What is known of a device.
    fn device(&self, id: &str) -> Option<Arc<Device>>;
}

/// Values that filters keep across generations, by name and type: caches, key sets, counters.
#[derive(Clone, Default)]
pub struct Survivors(Arc<ArcSwap<HashMap<String, Arc<dyn Any + Send + Sync>>>>);

/// One construction of one filter.
pub struct Setup<'a> {
    services: &'a Services,
    policy: &'a Arc<PolicySet>,
    place: Place,
    gathered: &'a RefCell<Gathered>,
}

/// What the constructors of one generation asked for.
#[derive(Default)]
pub struct Gathered {
    /// Warnings for the operator.
    pub warnings: Mistakes,
    /// Files whose change calls for a new generation.
    pub files: Vec<PathBuf>,
    /// Tasks that live as long as the generation.
    pub tasks: Vec<(String, BoxFuture<'static, ()>)>,
    /// Endpoints by their name below `/.portcullis/`.
    pub endpoints: Vec<(String, Arc<dyn Endpoint>)>,
    /// Who knows devices by name.
    pub directories: Vec<Arc<dyn Directory>>,
}

impl<'a> Setup<'a> {
    /// For the gateway and for tests.
    pub fn new(
        services: &'a Services,
        policy: &'a Arc<PolicySet>,
        place: Place,
        gathered: &'a RefCell<Gathered>,
    ) -> Self {
        Self { services, policy, place, gathered }
    }

    /// What outlives this generation.
    pub fn services(&self) -> &Services {
        self.services
    }

    /// The policy of this generation.
    pub fn policy(&self) -> &Arc<PolicySet> {
        self.policy
    }

    /// Where the filter's section stands, for mistakes without a better place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Tells the operator something that does not stop the load.
    pub fn warn(&self, warning: Mistake) {
        self.gathered.borrow_mut().warnings.push(warning);
    }

    /// Asks for a new generation when this file changes.
    pub fn watch(&self, file: &Path) {
        self.gathered.borrow_mut().files.push(file.to_owned());
    }

    /// Runs a task in the background for as long as this generation lives. It is not started by
    /// commands that only look (`check`, `explain`).
    pub fn background(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.gathered.borrow_mut().tasks.push((name.to_owned(), Box::pin(task)));
    }

    /// Answers for devices by name.
    pub fn directory(&self, directory: Arc<dyn Directory>) {
        self.gathered.borrow_mut().directories.push(directory);
    }

    /// Serves a name below `/.portcullis/`.
    pub fn endpoint(&self, name: &str, endpoint: Arc<dyn Endpoint>) {
        self.gathered.borrow_mut().endpoints.push((name.to_owned(), endpoint));
    }
}

impl Survivors {
    /// The value of this name, made if there is none of this type. Called at reload, never on a
    /// request's way.
    pub fn keep<T: Send + Sync + 'static>(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(found) = self.find::<T>(name) {
            return found;
        }
        let made = Arc::new(make());
        self.0.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(name.to_owned(), Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
            all
        });
        made
    }

    fn find<T: Send + Sync + 'static>(&self, name: &str) -> Option<Arc<T>> {
        self.0.load().get(name).and_then(|any| Arc::clone(any).downcast().ok())
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Survivors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.load().keys()).finish()
    }
}

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("place", &self.place).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gathered").field("files", &self.files).finish_non_exhaustive()
    }
}
