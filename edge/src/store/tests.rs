//! What both stores promise about keys, leases and counts.

use std::collections::BTreeMap;

use futures::executor::block_on;
use futures::future::join_all;

use super::*;
use crate::hop::NO_TENANT;
use crate::limit::Meter;
use crate::world::memory::Memory;
use crate::world::redis_server::RedisServer;

/// A test for each store; what it sees of the world is the same for all instances.
fn on_both(test: impl Fn(&Rc<Memory>, &dyn Fn() -> Rc<dyn Store>)) {
    let world = Rc::new(Memory::slow());
    test(&world, &|| open(&world, None));
    let world = Rc::new(Memory::with_redis(RedisServer::start()));
    let address = RedisAddress::parse("redis://127.0.0.1:6379", "").expect("an address");
    test(&world, &|| open(&world, Some(&address)));
}

fn id(number: u64) -> KeyId {
    KeyId(number.to_be_bytes())
}

fn add(store: &dyn Store, number: u64) -> Result<bool, StoreError> {
    block_on(store.add_key(NewKey { id: id(number), tenant: "acme", key: &key("first") }))
}

fn key(secrets: &str) -> StoredKey {
    StoredKey { record: b"a record".to_vec(), secrets: secrets.into() }
}

fn change(store: &dyn Store, number: u64, from: &str, to: &str) -> bool {
    block_on(store.change_secrets(id(number), from.as_bytes(), to.as_bytes())).expect("a store that works")
}

#[test]
fn a_key_is_there_for_every_instance_until_it_is_removed() {
    on_both(|_, open| {
        let (here, elsewhere) = (open(), open());
        assert_eq!(block_on(elsewhere.key(id(1))), Ok(None));
        assert_eq!(add(&*here, 1), Ok(true));
        assert_eq!(block_on(elsewhere.key(id(1))), Ok(Some(key("first"))));
        assert_eq!(block_on(elsewhere.key_ids()), Ok(vec![(id(1), "acme".to_owned())]));
        assert_eq!(block_on(elsewhere.remove_key(id(1))), Ok(true));
        assert_eq!(block_on(here.key(id(1))), Ok(None));
        assert_eq!((block_on(here.key_ids()), block_on(here.remove_key(id(1)))), (Ok(Vec::new()), Ok(false)));
    });
}

#[test]
fn secrets_are_changed_only_by_who_knows_those_before() {
    on_both(|_, open| {
        let (here, elsewhere) = (open(), open());
        assert!(!change(&*here, 1, "first", "second"), "there is no such key");
        assert_eq!(add(&*here, 1), Ok(true));
        assert!(change(&*here, 1, "first", "second") && !change(&*elsewhere, 1, "first", "other"));
        assert_eq!(block_on(elsewhere.key(id(1))), Ok(Some(key("second"))));
    });
}

#[test]
fn a_rotation_does_not_bring_back_what_is_revoked_meanwhile() {
    // At every moment of the rotation the other one may come between.
    for turns in 0..12 {
        on_both(|_, open| {
            let (here, elsewhere) = (open(), open());
            assert_eq!(add(&*here, 1), Ok(true));
            block_on(async {
                let rotation = here.change_secrets(id(1), b"first", b"second");
                let revocation = async {
                    for _ in 0..turns {
                        crate::world::memory::give_way().await;
                    }
                    elsewhere.remove_key(id(1)).await
                };
                let (_, revoked) = futures::join!(rotation, revocation);
                assert_eq!(revoked, Ok(true));
            });
            assert_eq!(block_on(here.key(id(1))), Ok(None), "after {turns} turns");
        });
    }
}

#[test]
fn keys_that_an_instance_makes_at_once_are_all_listed() {
    on_both(|_, open| {
        let store = open();
        let keys: Vec<StoredKey> = vec![key("first"); 12];
        let add = |(number, key)| store.add_key(NewKey { id: id(number), tenant: "acme", key });
        let added = block_on(join_all((0..).zip(&keys).map(add)));
        assert!(added.iter().all(|added| *added == Ok(true)), "{added:?}");
        assert_eq!(block_on(store.key_ids()).map(|ids| ids.len()), Ok(keys.len()));
    });
}

/// Fills the list up to so many keys.
fn fill(world: &Memory, count: u64) {
    let ids: Vec<String> = (0..count).map(|number| id(number).to_string()).collect();
    let list: BTreeMap<&str, &str> = ids.iter().map(|id| (id.as_str(), "acme")).collect();
    let list = serde_json::to_vec(&list).expect("a list");
    block_on(world.set("keys", &list)).expect("the memory never fails");
    let members = ids.iter().flat_map(|id| [id.clone().into_bytes(), b"acme".to_vec()]);
    let hash = [b"{adlib}:keys".to_vec()].into_iter().chain(members).collect();
    // Without a server there is none to fill.
    let _ = block_on(world.redis("", "HSET", hash));
}

#[test]
fn so_many_keys_are_kept_and_not_one_more() {
    on_both(|world, open| {
        let store = open();
        assert_eq!(add(&*store, 0), Ok(true));
        fill(world, KEYS_MAX as u64 - 1);
        assert_eq!((add(&*store, u64::MAX - 1), add(&*store, u64::MAX)), (Ok(true), Ok(false)));
        assert_eq!(block_on(store.key(id(u64::MAX))), Ok(None));
        assert!(!world.holds(&id(u64::MAX).to_string()), "nothing is left of it");
        assert_eq!(block_on(store.remove_key(id(0))), Ok(true));
        assert_eq!(add(&*store, u64::MAX), Ok(true));
    });
}

#[test]
fn a_list_that_nobody_can_read_is_not_overwritten() {
    let world = Rc::<Memory>::default();
    block_on(world.set("keys", b"of another version")).expect("the memory never fails");
    let store = open(&world, None);
    assert!(add(&*store, 1).is_err() && block_on(store.key_ids()).is_err());
    assert_eq!(block_on(store.key(id(1))), Ok(None));
}

/// The right of one to make an entry.
fn lease(token: u128) -> Lease {
    Lease { name: "flight/a".to_owned(), token, seats: 1, lasts_ms: 60_000 }
}

/// Whether a visit finds the entry, and whether it takes its lease.
fn visit(store: &dyn Store, limits: &[Limit], entry: Option<&[u8; 32]>, token: u128) -> (bool, bool) {
    let id = RequestId::choose(None, || 0);
    let lease = lease(token);
    let visit = Visit { limits, entry, lease: Some(&lease), ..Visit::new(&id, 0) };
    let visited = block_on(store.visit(visit)).expect("a store that works");
    (visited.entry.is_some(), visited.is_leased)
}

#[test]
fn a_visit_that_finds_no_entry_takes_the_lease_to_make_it() {
    const KEY: [u8; 32] = [1; 32];
    on_both(|_, open| {
        let store = open();
        let used_up = Limit { meter: Meter::Tenant("acme".to_owned()), gcra: Gcra::new(60_000, 1), cost: 1 };
        let limits = std::slice::from_ref(&used_up);
        assert_eq!(visit(&*store, &[], None, 1), (false, false), "nothing is looked for");
        assert_eq!(visit(&*store, limits, Some(&KEY), 1), (false, true));
        assert_eq!(visit(&*store, &[], Some(&KEY), 2), (false, false), "another one has it");
        assert_eq!(visit(&*store, &[], Some(&KEY), 1), (false, true), "the holder takes it again");
        let lease = lease(1);
        block_on(store.release(&lease)).expect("a store that works");
        assert_eq!(visit(&*store, limits, Some(&KEY), 2), (false, false), "whoever is refused takes nothing");
        assert_eq!(visit(&*store, &[], Some(&KEY), 1), (false, true));
        let entry = NewEntry { key: &KEY, sealed: b"one", keep_s: 60, lease: Some(&lease) };
        assert_eq!(block_on(store.keep(entry)), Ok(true));
        assert_eq!(visit(&*store, &[], Some(&KEY), 2), (true, false));
    });
}

fn counts(number: u64) -> Counts {
    let mut counts = Counts::default();
    counts.count("requests", &[("status", "200")], number);
    counts
}

#[test]
fn counts_of_several_instances_and_tenants_add_up() {
    on_both(|_, open| {
        for (tenant, number) in [("acme", 1), ("acme", 2), ("other", 4), (NO_TENANT, 8)] {
            block_on(open().count(tenant, &counts(number))).expect("a store that works");
        }
        let store = open();
        for (tenant, number) in [("acme", 3), ("other", 4), (NO_TENANT, 15)] {
            assert_eq!(block_on(store.counts(tenant)), Ok(counts(number)), "{tenant}");
        }
        assert_eq!(block_on(store.counts("nobody")), Ok(Counts::default()));
    });
}
