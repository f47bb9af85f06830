//! What it asks from: the device's certificate, and what the inventory says of it.

use scenarios::certificates::Leaf;
use scenarios::world::inventory;
use scenarios::{Gateway, Recorder, gateway, until};

const ROUTES: &str = r#"
  - name: wiki
    hosts: [wiki.gw.test]
    upstream: app
    rules:
      - {id: trusted, allow: {}, when: {all: [{user.groups: eng}, {device.managed: true}, {device.compliant: true}]}}
  - name: own
    hosts: [own.gw.test]
    upstream: app
    rules: [{id: own-device, allow: {}, when: {device.user_is_owner: true}}]
  - name: modern
    hosts: [modern.gw.test]
    upstream: app
    rules: [{id: modern, allow: {}, when: {all: [{device.os: linux}, {device.os_version: {min: "12.2"}}, {device.encryption: true}]}}]
"#;

fn start() -> (Gateway, Recorder) {
    let plan = gateway().with_routes(ROUTES);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

#[test]
fn the_device_decides_beside_the_person() {
    let (gw, app) = start();
    for h2 in [false, true] {
        let wiki = || gw.get("https://wiki.gw.test/x").version(h2);
        let audit = wiki().as_user("ana").on_device("laptop").expect(200).audit();
        assert_eq!(audit["device.id"], "laptop");
        assert_eq!(audit["device.managed"], true);
        assert_eq!(audit["device.compliant"], true);
        assert!(audit["device.posture_age_s"].is_number(), "{audit:#}");
        assert_eq!(app.last().header("x-portcullis-device"), Some("laptop"));

        wiki().as_user("ana").expect(403).reason("device-unknown");
        wiki().as_user("ana").on_device("stray").expect(403);
        wiki().as_user("ana").on_device("stale").expect(403).reason("device-not-compliant");
        wiki().as_user("ben").on_device("laptop").expect(403).reason("no-rule-allows");
        wiki().on_device("laptop").expect(401);

        let own = || gw.get("https://own.gw.test/x").version(h2);
        own().as_user("ana").on_device("laptop").expect(200);
        own().as_user("ben").on_device("laptop").expect(403);
        gw.get("https://modern.gw.test/x")
            .as_user("ana")
            .on_device("laptop")
            .version(h2)
            .expect(200);
        gw.get("https://modern.gw.test/x")
            .as_user("ana")
            .on_device("stale")
            .version(h2)
            .expect(403);
    }
    app.sound();
}

#[test]
fn a_device_certificate_of_another_authority_is_no_device() {
    let (gw, app) = start();
    let leaf = Leaf::client("laptop", "urn:device:laptop");
    for (what, pair) in [
        ("services CA", gw.plan.world.services.issue(&leaf)),
        ("backends CA", gw.plan.world.backends.issue(&leaf)),
        ("expired", gw.plan.world.devices.issue(&leaf.clone().valid(-7200, -3600))),
    ] {
        let outcome = gw.get("https://wiki.gw.test/x").as_user("ana").certificate(&pair).send();
        assert!(matches!(outcome.status(), None | Some(400 | 401 | 403)), "{what}: {outcome:?}");
    }
    assert_eq!(app.hits(), 0);
}

#[test]
fn the_inventory_is_read_again_when_it_changes() {
    let (gw, _app) = start();
    let status = || {
        gw.get("https://wiki.gw.test/x")
            .as_user("ana")
            .on_device("laptop")
            .send()
            .status()
            .unwrap_or(0)
    };
    assert_eq!(status(), 200);
    gw.plan.world.write("devices.yaml", &inventory("false"));
    until("the lost compliance to count", || (status() == 403).then_some(()));
    gw.plan.world.write("devices.yaml", &inventory("true"));
    until("the regained compliance to count", || (status() == 200).then_some(()));

    // A broken inventory changes nothing, and says so.
    gw.plan.world.write("devices.yaml", "devices:\n  - {id: [broken\n");
    until("the complaint about the inventory", || {
        gw.output().contains("devices.yaml").then_some(())
    });
    assert_eq!(status(), 200, "the last good inventory goes on");
    gw.plan.world.write("devices.yaml", &inventory("false"));
    until("the repaired inventory to count", || (status() == 403).then_some(()));
}
