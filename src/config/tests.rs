//! Proves the order of the layers, the registry of keys, and what a wrong key is told.

use super::*;

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join("config").join(name), text).unwrap();
    }
    folder
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn the_embedded_file_is_the_registry_of_every_setting() {
    let config = Config::load(project(&[]).path(), &variables(&[]), &[]).unwrap();
    assert!(config.effective.iter().all(|e| !e.doc.is_empty() && e.origin == "default"));
    assert_eq!(config.settings.root, "lakehouse");
}

#[test]
fn later_layers_win_and_say_where_they_come_from() {
    let folder = project(&[
        ("lake.toml", "threads = 1\nroot = \"a\"\n[write]\ncompression_level = 1"),
        ("production.toml", "root = \"b\"\n[write]\ncompression_level = 2"),
    ]);
    let variables = variables(&[("LAKE_ENVIRONMENT", "production"), ("LAKE_ROOT", "c")]);
    let config = Config::load(folder.path(), &variables, &[("threads", "4".into())]).unwrap();
    assert_eq!(config.settings.threads, 4);
    assert_eq!(config.settings.root, "c");
    assert_eq!(config.settings.write.compression_level, 2);
    let origin = |key: &str| config.effective.iter().find(|e| e.key == key).unwrap().origin.clone();
    assert_eq!(origin("threads"), "flag");
    assert_eq!(origin("root"), "variable LAKE_ROOT");
    assert!(origin("write.compression_level").ends_with("production.toml"));
}

#[test]
fn an_unknown_key_is_told_the_nearest() {
    let folder = project(&[("lake.toml", "[write]\ncompresion_level = 1")]);
    let error = Config::load(folder.path(), &variables(&[]), &[]).unwrap_err();
    assert_eq!(error.message(), "unknown setting `write.compresion_level`");
    assert_eq!(error.hints(), ["did you mean `write.compression_level`?"]);
    let error = Config::load(project(&[]).path(), &variables(&[("LAKE_ROOTT", "x")]), &[]).unwrap_err();
    assert_eq!(error.hints(), ["did you mean `LAKE_ROOT`?"]);
}

#[test]
fn a_word_that_a_setting_does_not_know_is_told_what_it_knows() {
    let folder = project(&[("models.toml", "[segments]\nalgorithm = \"kmean\"")]);
    let error = Config::load(folder.path(), &variables(&[]), &[]).unwrap_err();
    assert_eq!(
        error.message(),
        "setting `models.segments.algorithm` cannot be \"kmean\": it is one of `kmeans`, `gaussian_mixture`, `dbscan`"
    );
    assert!(error.details()[0].ends_with("/config/models.toml"), "{:?}", error.details());
}

#[test]
fn a_value_of_another_type_is_refused() {
    let error = Config::load(project(&[]).path(), &variables(&[("LAKE_THREADS", "many")]), &[]).unwrap_err();
    assert!(error.message().starts_with("setting `threads` must be of type integer"));
    let error =
        Config::load(project(&[]).path(), &variables(&[("LAKE_MEMORY_LIMIT", "lots")]), &[]).unwrap_err();
    assert_eq!(error.message(), "setting `memory_limit` cannot be `lots`");
    let error =
        Config::load(project(&[]).path(), &variables(&[("LAKE_THREADS", "100000")]), &[]).unwrap_err();
    assert_eq!(error.message(), "setting `threads` must be at most 1024, not 100000");
    for maintenance in [("LAKE_MAINTENANCE_COMPACT_FILES", "1"), ("LAKE_MAINTENANCE_CHECKPOINT_COMMITS", "0")]
    {
        let error = Config::load(project(&[]).path(), &variables(&[maintenance]), &[]).unwrap_err();
        assert!(
            error.message().ends_with("must be at least 2 and `maintenance.checkpoint_commits` at least 1")
        );
    }
}

#[test]
fn an_environment_without_a_file_is_refused() {
    let error =
        Config::load(project(&[]).path(), &variables(&[]), &[("environment", "prod".into())]).unwrap_err();
    assert_eq!(error.message(), "there is no environment `prod`");
}

#[test]
fn memory_limits_are_numbers_with_a_unit() {
    assert_eq!(memory_limit("memory_limit", "none").unwrap(), MemoryLimit::None);
    assert_eq!(memory_limit("memory_limit", "auto").unwrap(), MemoryLimit::Auto);
    assert_eq!(memory_limit("memory_limit", "512MB").unwrap(), MemoryLimit::Bytes(512 << 20));
    assert_eq!(memory_limit("memory_limit", "2 gb").unwrap(), MemoryLimit::Bytes(2 << 30));
    assert!(
        ["", "0GB", "2", "GB", "99999999999GB"]
            .iter()
            .all(|text| memory_limit("memory_limit", text).is_err())
    );
}
