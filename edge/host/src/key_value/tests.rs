use super::*;

fn both(folder: &std::path::Path) -> [Storage; 2] {
    let limits = Limits::default();
    [Stores::Memory, Stores::Folder(folder.to_owned())].map(|stores| Storage::open(&stores, &limits).unwrap())
}

async fn put(storage: &Storage, store: &str, key: &str, value: Option<&[u8]>) -> Result<(), KeyValueError> {
    storage.put(store.into(), key.into(), value.map(<[u8]>::to_vec)).await
}

#[tokio::test]
async fn values_are_kept_replaced_and_deleted_in_either_storage() {
    let folder = tempfile::tempdir().unwrap();
    for storage in both(folder.path()) {
        assert_eq!(storage.get("a", "k").unwrap(), None);
        put(&storage, "a", "k", Some(b"one")).await.unwrap();
        put(&storage, "a", "k", Some(b"two\0\xff")).await.unwrap();
        put(&storage, "a", "empty", Some(b"")).await.unwrap();
        assert_eq!(storage.get("a", "k").unwrap().unwrap(), b"two\0\xff");
        assert_eq!(storage.get("a", "empty").unwrap().unwrap(), b"");
        assert!(storage.exists("a", "k").unwrap());
        assert_eq!(storage.get("b", "k").unwrap(), None, "stores are apart");
        let mut keys = storage.keys("a").unwrap();
        keys.sort();
        assert_eq!(keys, ["empty", "k"]);
        put(&storage, "a", "k", None).await.unwrap();
        put(&storage, "a", "k", None).await.unwrap();
        assert!(!storage.exists("a", "k").unwrap());
    }
}

#[tokio::test]
async fn a_file_outlives_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deeper");
    for round in 0..2 {
        let storage = Storage::open(&Stores::Folder(path.clone()), &Limits::default()).unwrap();
        assert_eq!(storage.get("a", "k").unwrap().is_some(), round == 1);
        put(&storage, "a", "k", Some(b"v")).await.unwrap();
    }
}

#[tokio::test]
async fn stores_are_full_at_their_limit() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { store_bytes_max: 64 << 10, ..Limits::default() };
    for stores in [Stores::Memory, Stores::Folder(folder.path().to_owned())] {
        let storage = Storage::open(&stores, &limits).unwrap();
        let mut kept = 0;
        let error = loop {
            match put(&storage, "a", &format!("k{kept}"), Some(&[1; 1000])).await {
                Ok(()) => kept += 1,
                Err(error) => break error,
            }
            assert!(kept < 66, "more is kept than the limit allows");
        };
        assert!(matches!(error, KeyValueError::Full { .. }), "{error}");
        assert!(kept > 40, "{kept}");
        assert!(storage.get("a", "k0").unwrap().is_some());
        // A database has room again by pages, not by rows.
        for n in 0..20 {
            put(&storage, "a", &format!("k{n}"), None).await.unwrap();
        }
        put(&storage, "a", "k0", Some(&[2; 1000])).await.unwrap();
    }
}

#[test]
fn keys_and_values_have_a_limit_each() {
    let limits = Limits { key_bytes_max: 3, value_bytes_max: 5, ..Limits::default() };
    assert!(check_key("abc", &limits).is_ok());
    assert!(check_key("abcd", &limits).is_err());
    assert!(check_value(&[0; 5], &limits).is_ok());
    assert!(check_value(&[0; 6], &limits).is_err());
}

#[test]
fn a_database_of_another_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stores = Stores::Folder(folder.path().to_owned());
    drop(Storage::open(&stores, &Limits::default()).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join("key_value.sqlite3")).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    assert!(matches!(
        Storage::open(&stores, &Limits::default()),
        Err(KeyValueError::Layout { found: 7, .. })
    ));
}
