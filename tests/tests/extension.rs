//! A stranger's filter in a binary of its own: one struct, one method, one line.

use scenarios::verbs::run;
use scenarios::{Gateway, Recorder, gateway, process};

const ROUTES: &str = r#"
  - {name: app, hosts: [app.gw.test], upstream: app, rules: [{id: everyone, allow: {}}]}
  - {name: inside, hosts: [inside.gw.test], upstream: app, rules: [{id: inside, allow: {}, when: {attr.geofence.zone: inside}}]}
"#;

fn start(geofence: &str) -> (Gateway, Recorder) {
    let plan =
        gateway().program("extended-gateway").with_routes(ROUTES).section("geofence", geofence);
    let app = Recorder::start(&plan.world, "app");
    (plan.with_backend("app", &app).start(), app)
}

#[test]
fn it_denies_what_rules_allow_and_never_allows_what_they_deny() {
    let (gw, app) = start("  deny: [127.0.0.0/8]\n");
    for h2 in [false, true] {
        gw.get("https://app.gw.test/x").version(h2).expect(403).reason("geofence");
    }
    assert_eq!(app.hits(), 0);
    assert!(gw.metric_sum("portcullis_filter_stops_total", &["geofence"]) >= 2.0);
    drop(gw);
    let (gw, app) = start("  deny: [203.0.113.0/24]\n");
    gw.get("https://app.gw.test/x").expect(200);
    gw.get("https://inside.gw.test/x").expect(403);
    assert_eq!(app.hits(), 1);
}

#[test]
fn its_facts_are_words_of_the_policy_and_its_section_is_reloaded() {
    let (mut gw, app) = start("  inside: [127.0.0.0/8]\n");
    gw.get("https://inside.gw.test/x").expect(200).rule("inside");
    gw.plan.set("geofence", "  inside: [10.0.0.0/8]\n");
    gw.reload();
    gw.get("https://inside.gw.test/x").expect(403);
    assert_eq!(app.hits(), 1);
}

#[test]
fn its_section_is_checked_like_any_other() {
    let plan =
        gateway().program("extended-gateway").section("geofence", "  denny: [127.0.0.0/8]\n");
    plan.write(&scenarios::plan::Ports::free());
    let extended = process::program("extended-gateway");
    let check = |dir: &std::path::Path| run(&extended, dir, &["check", "-c", "portcullis.yaml"]);
    check(plan.world.path()).refused().says("denny").says("deny");
    // The gateway without the filter does not know the section.
    let plain =
        scenarios::verbs::portcullis(plan.world.path(), &["check", "-c", "portcullis.yaml"]);
    plain.refused().says("geofence");
    // And the one that has it names what it does not have.
    let plan = plan.section("geofence", "").section("geofense", "  deny: [127.0.0.0/8]\n");
    plan.write(&scenarios::plan::Ports::free());
    check(plan.world.path()).refused().says("geofense").says("geofence");
}
