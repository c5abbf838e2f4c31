use std::io::Write as _;

use super::sources::{from_environment, from_file, from_flag};
use super::*;

fn manifest() -> Manifest {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = r#"
        spin_manifest_version = 2
        [application]
        name = "test"
        [variables]
        host = { default = "localhost" }
        key = { required = true }
        [[trigger.http]]
        route = "/..."
        component = "test"
        [component.test]
        source = "test.wasm"
        [component.test.variables]
        url = "http://{{ host }}/{{ key }}"
    "#;
    file.write_all(text.as_bytes()).unwrap();
    Manifest::read(file.path()).unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn url(given: &[(&str, &str)], ambient: &[(&str, &str)]) -> String {
    Variables::resolve(&manifest(), &map(given), &map(ambient)).unwrap().get("url").unwrap()
}

#[test]
fn what_is_given_beats_the_surroundings_which_beat_the_default() {
    assert_eq!(url(&[("key", "g")], &[]), "http://localhost/g");
    assert_eq!(url(&[], &[("key", "a"), ("host", "h"), ("other", "o")]), "http://h/a");
    assert_eq!(url(&[("key", "g")], &[("key", "a")]), "http://localhost/g");
}

#[test]
fn a_missing_value_and_an_unknown_name_are_named() {
    let error = |given: &[(&str, &str)]| {
        Variables::resolve(&manifest(), &map(given), &BTreeMap::new()).err().unwrap().to_string()
    };
    assert!(error(&[]).contains("required variables key;"));
    assert_eq!(error(&[("key", "1"), ("hots", "h")]), "the manifest has no variable `hots`");
}

#[test]
fn the_component_sees_its_own_variables_only() {
    let variables = Variables::resolve(&manifest(), &map(&[("key", "1")]), &BTreeMap::new()).unwrap();
    assert!(matches!(variables.get("host"), Err(WitError::Undefined(_))));
    assert!(matches!(variables.get("Host"), Err(WitError::InvalidName(_))));
}

#[test]
fn the_environment_is_read_by_its_prefix() {
    let environment = [("SPIN_VARIABLE_API_KEY", "1"), ("PATH", "/bin")];
    let pairs = environment.map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(from_environment(pairs), map(&[("api_key", "1")]));
}

#[test]
fn files_are_read_in_both_forms_and_errors_show_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let env =
        write("a.env", "# comment\nSPIN_VARIABLE_KEY='quoted value'\nexport SPIN_VARIABLE_HOST=h\nOTHER=1\n");
    assert_eq!(from_file(&env).unwrap(), map(&[("host", "h"), ("key", "quoted value")]));
    let toml = write("a.toml", "key = \"1\"\nhost = 'h'\n");
    assert_eq!(from_file(&toml).unwrap(), map(&[("host", "h"), ("key", "1")]));
    for (name, text) in
        [("b.toml", "key = hunter2"), ("c.toml", "key = 42"), ("b.env", "SPIN_VARIABLE_KEY='hunter2")]
    {
        let error = from_file(&write(name, text)).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("hunter2"), "{error}");
    }
    assert!(from_file(&folder.path().join("none")).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn a_flag_gives_a_value_or_a_file() {
    assert_eq!(from_flag("a=b=c").unwrap(), ("a".into(), "b=c".into()));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"from a file").unwrap();
    assert_eq!(from_flag(&format!("a=@{}", file.path().display())).unwrap().1, "from a file");
    assert!(from_flag("a").is_err());
    assert!(from_flag("a=@/does/not/exist").is_err());
}
