import pytest

from hub.config import load
from hub.errors import ConfigError

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "hub.toml"
        path.write_text(text, "utf-8")
        return path

    return written


def test_an_empty_configuration_is_valid_and_frozen():
    config = load(None, {})
    assert config.kafka.replication_factor == 3
    with pytest.raises(ValueError, match="frozen"):
        config.slot = "x"


def test_variables_win_over_the_file(write):
    path = write('[kafka]\nbootstrap = "a:1"\n[ingest]\nport = 1\n')
    config = load(path, {"HUB_KAFKA_BOOTSTRAP": "b:2", "HUB_INGEST_PORT": "8081"})
    assert (config.kafka.bootstrap, config.ingest.port) == ("b:2", 8081)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("nonsense = 1", "hub.toml: nonsense", "unknown key"),
        ("[kafka]\nbootstrapp = 'x'", "kafka.bootstrapp", "unknown key"),
        ("[ingest]\nport = 70000", "ingest.port", "less than or equal to 65535"),
        ("[source.a]\nlane = 'fast'", "source.a", "Field required"),
        ("[source.'a b']\nconnector = 'cap'", "source.a b", "pattern"),
        ("[source.a]\nconnector = 'cap'\nshard = 'colour'", "source.a.shard", "pattern"),
        ("[noun.alert]\nwindow_s = 60", "noun", "alert is a state: it is compared with its last"),
        ("[noun.alert]\nkeep_alive_s = 5", "noun.alert.keep_alive_s", "equal to 60"),
        ("[noun.violation]\nkeep_alive_s = 60", "noun", "violation happens once"),
        ("[noun.health.ttl_h]\n'' = 9", "noun", "health is nothing that goes on until its end"),
        ("[noun.alert.ttl_h]\n'' = 1", "noun.alert.ttl_h.", "equal to 2"),
        ("[retention]\nrumours = 7", "retention", "no such class: rumours; there are payload"),
        ("[retention]\nhold = 7", "retention", "kept until people end it"),
        ("[retention]\npayload = 3", "retention", "kept 4 to 30 days, not 3 (Law 91/2025/QH15"),
        ("[retention]\nerasure = 90", "retention", "Circular 67/2024/TT-BCA"),
        ("[retention]\npicture = 29", "retention", "police, whose events name them, 30"),
        ("[retention]\npicture = 76", "retention", "kept 1 to 75 days, not 76"),
        ("x =", "hub.toml", "not TOML"),
    ],
)
def test_an_error_names_file_key_and_what_is_expected(write, text, where, what):
    with pytest.raises(ConfigError) as caught:
        load(write(text), {})
    assert where in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.fix


def test_a_site_sets_its_own_times_beside_the_declared_ones(write):
    text = "[noun.situation]\nkeep_alive_s = 600\n[noun.situation.ttl_h]\n'road.flooding' = 6"
    noun = load(write(text), {}).nouns()["situation"]
    assert noun.keep_alive_s == 600
    assert (noun.ttl_h["road.flooding"], noun.ttl_h[""], noun.ttl_h["road.jam"]) == (6, 24, 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="can't read it") as caught:
        load(tmp_path / "nope.toml", {})
    assert "nope.toml" in str(caught.value)


def test_the_id_key_comes_from_the_environment_or_a_file_and_is_never_shown(tmp_path):
    secret = tmp_path / "key"
    secret.write_text(f"{KEY}\n")
    for environment in ({"HUB_ID_KEY": KEY}, {"HUB_ID_KEY_FILE": str(secret)}):
        config = load(None, environment)
        assert config.site_key() == KEY.encode()
        assert KEY not in repr(config)
        assert KEY not in str(config)


@pytest.mark.parametrize("environment", [{}, {"HUB_ID_KEY": "short"}])
def test_a_missing_or_short_id_key_is_refused(environment):
    with pytest.raises(ConfigError, match="missing or shorter") as caught:
        load(None, environment).site_key()
    assert "short" not in caught.value.where


def test_a_key_file_that_can_not_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match="can't read the id key"):
        load(None, {"HUB_ID_KEY_FILE": str(tmp_path / "none")})


def test_a_secret_in_the_file_is_refused_without_being_shown(write):
    with pytest.raises(ConfigError, match="no place in the configuration file") as caught:
        load(write(f'id_key = "{KEY}"'), {})
    assert KEY not in str(caught.value)


def test_a_source_gives_its_connector_zone_and_options(write):
    text = '[source.a]\nconnector = "x"\nzone = "Asia/Bangkok"\noptions = { mode = "m" }\n'
    source = load(write(text), {}).source["a"]
    assert source.connector_options() == {
        "zone": "Asia/Bangkok", "area_scheme": "", "mode": "m",
    }  # fmt: skip


def test_evidence_is_a_folder_of_the_data_unless_named(write):
    assert load(write('data = "d"'), {}).evidence() == "d/evidence"
    assert load(None, {"HUB_EVIDENCE_URL": "s3://b"}).evidence() == "s3://b"


def test_a_site_keeps_what_it_says_and_else_what_is_declared(write):
    config = load(write("[retention]\npayload = 10\npolice = 20\npicture = 20"), {})
    days = [config.kept_days(name) for name in ("payload", "canonical", "police", "picture")]
    assert days == [10, 7, 20, 20]
    assert config.kept_days("hold") is None


def test_holds_are_a_folder_of_the_data_unless_named(write):
    assert load(write('data = "d"'), {}).holds() == "d/holds"
    assert load(None, {"HUB_HOLDS_URL": "s3://b"}).holds() == "s3://b"
