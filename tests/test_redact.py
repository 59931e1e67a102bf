"""What looks like a credential is taken out of every text; everything else is left as it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeintel_obs.redact import MASK, clean, clean_words, names_secret, redact

CANARY = "hunter2Xk7"
DROPPED = [
    f"postgres://bob:{CANARY}@db.example/x",
    f"postgres://bob:p@{CANARY}@db.example/x",
    f"https://{CANARY}@github.com/a/b.git",
    f"git clone https://x-access-token:{CANARY}@github.com/a/b.git failed",
    f"redis://:{CANARY}@cache:6379/0",
    f"Authorization: Bearer {CANARY}",
    f"authorization: Basic {CANARY}==",
    f"Proxy-Authorization: Digest {CANARY}",
    f"{{'Authorization': 'token {CANARY}'}}",
    f'{{"authorization": "{CANARY}"}}',
    f"(b'authorization', b'Basic {CANARY}')",
    f"[('Authorization', '{CANARY}')]",
    f"sent Bearer {CANARY}.abc-def to host",
    f"Cookie: a=1; session={CANARY}; b=2",
    f"set-cookie: id={CANARY}; Path=/",
    f"password={CANARY}",
    f"PASSWORD = '{CANARY}'",
    f'password: "{CANARY} with spaces"',
    f"password='it\\'s {CANARY}'",
    f"password='{CANARY}",
    f"PGPASSWORD={CANARY} psql",
    f"dbPassword={CANARY}",
    f"MYSQL_PWD={CANARY}",
    f"passphrase:={CANARY}",
    f"host=x password={CANARY} dbname=y",
    f"Server=x;User Id=y;Password={CANARY};",
    f"https://h.example/p?access_token={CANARY}&x=1",
    f"https://h.example/p?x=1&X-Amz-Signature={CANARY}",
    f"https://h.example/p?sig={CANARY}",
    f"api_key={CANARY}",
    f"apiKey: {CANARY}",
    f"api-key%3D{CANARY}",
    f"x-api-key: {CANARY}",
    f"PRIVATE-TOKEN: {CANARY}",
    f"AWS_SECRET_ACCESS_KEY={CANARY}",
    f"AccountKey={CANARY};EndpointSuffix=x",
    f"client_secret={CANARY}",
    f"refresh_token={CANARY}",
    f"accessToken => {CANARY}",
    f"credentials: {CANARY}",
    f'{{"password": "{CANARY}"}}',
    f'"{{\\"password\\": \\"{CANARY}\\"}}"',
    f"CREATE USER x PASSWORD '{CANARY}'",
    f"CREATE SECRET s (TYPE s3, KEY_ID '{CANARY}', SECRET '{CANARY}')",
    f"CREATE USER x IDENTIFIED BY '{CANARY}'",
    f"select 'CREATE USER x PASSWORD ''{CANARY}''' from t",
    f"stderr: 'CREATE USER x PASSWORD '{CANARY}''",
    f"select '--db-token ''{CANARY} x''' from t",
    f"--password {CANARY}",
    f"--db-password '{CANARY} x'",
    f"['--token', '{CANARY} x']",
    f'["--api-key", "{CANARY}"]',
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\ncut off",
    f"ghp_{CANARY * 4}",
    f"github_pat_{CANARY * 4}",
    f"glpat-{CANARY * 2}",
    f"sk-proj-{CANARY * 2}",
    f"sk_live_{CANARY * 2}",
    f"hf_{CANARY * 3}",
    f"xoxb-12-{CANARY}",
    f"AIza{CANARY * 4}",
    f"ya29.{CANARY * 3}",
    f"npm_{CANARY * 4}",
    f"pypi-{CANARY * 4}",
    f"eyJhbGciOi{CANARY}.{CANARY}payload.{CANARY}",
    f"machine db.example login bob password {CANARY}",
    f"curl -u bob:{CANARY} https://h.example",
    f"curl --user 'bob:{CANARY}' https://h.example",
    f"sshpass -p {CANARY} ssh host",
    f"mysqldump -u root -p{CANARY} shop",
    f"hvs.{CANARY * 3}",
    f"glsa_{CANARY * 3}",
    f"lin_api_{CANARY * 3}",
    f"PMAK-{CANARY * 3}",
    f"ATATT3{CANARY * 3}",
]
KEPT = [
    "session_id=4f1c9a2b7d session 20261122T175022.123-9f3c1a2b4d",
    "commit 1f8e4a6c1d5b9e7a3c2f4d6b8a0c2e4f6a8b0c2d by git",
    "git@github.com:acme/repo.git",
    "ssh://git@github.com/acme/repo.git",
    "https://github.com/acme/repo/blob/main/src/password_reset.py#L10-L20",
    "/home/bob/src/token/secret_store/keys.py:12:5: error",
    "PWD=/home/bob/src",
    "max_tokens=512 prompt_tokens: 12 token_count=9",
    "Unexpected token '<' at line 1",
    "tokenizer: sentencepiece, tokenize=False",
    "Token::parse called with signature::of",
    "if token == other_token",
    "the password was wrong",
    "Bearer authentication failed for this user",
    "contact bob@example.com or alice@example.org",
    "task-1234567890abcdef1234 disk-0987654321fedcba",
    "asiapacificsoutheast1 akialand",
    "user=bob host=db port=5432",
    "00000000-0000-4000-8000-0123456789ab",
    "select id, name from keys where key_name = 'x'",
    "npm install sk-learn-contrib-something-long",
    "pkg:npm/thing@1.0.0",
    "docker run -u 1000:1000 image",
    "mysql -h db -u root shop",
    "git log -u --user-agent x",
    "the machine login was slow",
    "dapi stands for something; see shpat_notes.md and page 12345678:AB",
]


@pytest.mark.parametrize("text", DROPPED)
def test_credential_is_dropped(text):
    """A text that carries a credential keeps what names it and loses the credential."""
    cleaned = redact(text)
    assert CANARY not in cleaned
    assert MASK in cleaned


@pytest.mark.parametrize("text", KEPT)
def test_other_text_is_left_alone(text):
    """Session ids, hashes, paths, counts and prose are none of a redactor's business."""
    assert redact(text) == text


@pytest.mark.parametrize("text", DROPPED)
def test_redacting_twice_is_redacting_once(text):
    """A redacted text is left as it is."""
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize("text", DROPPED)
def test_rest_of_the_text_stays(text):
    """A credential takes nothing with it of the sentences around it."""
    cleaned = redact(f"before it, {text}\nand after it")
    assert cleaned.startswith("before it, ")
    assert cleaned.endswith("\nand after it") or "BEGIN" in text


FRAGMENTS = st.sampled_from(
    [*DROPPED, *KEPT, " ", "'", '"', "=", ":", "\\", "\n", "@", "://", "password", "token", "authorization", MASK, "-"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(FRAGMENTS, max_size=6).map("".join))
def test_redaction_settles(text):
    """Whatever stands beside whatever: redacting goes on dropping, and comes to rest."""
    first = redact(text)
    second = redact(first)
    assert redact(second) == second or len(redact(second)) <= len(second) + len(MASK)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=600), st.integers(min_value=0, max_value=300))
def test_cut_text_says_how_much(text, cap):
    """A text is cut to its cap, the cut says how many characters it took, and the result is valid UTF-8."""
    cleaned = clean(text, cap)
    cleaned.encode()
    kept, _, rest = cleaned.rpartition(" [cut ")
    assert len(cleaned) <= cap or (len(kept) <= cap and rest.endswith(" characters]"))


HEXES = ["dop_v1_" + "a1" * 32, "dapi" + "0f" * 16, "shpat_" + "9c" * 16, "12345678:AA" + "x" * 33]


@pytest.mark.parametrize("secret", HEXES)
def test_secret_by_its_shape_alone(secret):
    """Shapes of hex digits and of fixed lengths are secrets wherever they stand."""
    assert redact(f"sent {secret} to it") == f"sent {MASK} to it"


SECRET_NAMES = (
    "password dbPassword client_secret api_key x-api-key Authorization --token --db-password MYSQL_PWD auth Cookie"
)
OTHER_NAMES = (
    "session_id max_tokens token_count tokenizer key keys path PWD author authors passed compass_heading pass_count"
)


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_a_name_that_secrets_have(name):
    """Under such a key, header or option whatever stands is a secret."""
    assert names_secret(name)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_a_name_that_counts_and_paths_have(name):
    """Counts, paths and session ids are none of a redactor's business."""
    assert not names_secret(name)


def test_a_word_after_an_option_that_takes_a_secret():
    """Of a command's words, each by itself harmless, the one goes that an option announces."""
    words = ["git", "--token", CANARY, "--password", "--verbose", f"--api-key={CANARY}", "src/token", "-p"]
    shown = ["git", "--token", MASK, "--password", "--verbose", f"--api-key={MASK}", "src/token", "-p"]
    assert clean_words(words, 100) == shown


ADVERSARIAL = {
    "machines": "machine " * 125_000,
    "machine logins": "machine a login b " * 60_000,
    "users": "-u a" * 250_000,
    "mysqls": "mysql a " * 125_000,
    "mysql and spaces": "mysql" + " " * 500_000 + " -" * 250_000,
    "names": "a-" * 500_000 + "password",
    "words": "a_" * 500_000,
    "dashes": "--a-" * 250_000,
    "keys": "password" * 125_000,
    "open quotes": "password='" * 100_000,
    "escapes": "password='\\" * 90_000,
    "spaces": "authorization:" + " " * 1_000_000,
    "equals": "password" + " " * 500_000 + "=" * 500_000,
    "jwts": "eyJ-" * 250_000,
    "urls": "a://" * 250_000,
    "one url": "http://" + "a" * 1_000_000,
    "ats": "http://" + "@" * 1_000_000,
    "dots": "a." * 500_000,
    "pems": "-----BEGIN PRIVATE KEY-----" * 40_000,
    "letters of pems": "-----BEGIN " + "A " * 500_000,
    "bearers": "bearer " * 140_000,
    "sql": "password '" * 100_000,
    "options": "--token " * 125_000,
    "cookies": "cookie: " * 125_000,
    "backslashes": "token" + "\\" * 1_000_000,
    "sk": "sk-" * 333_000,
    "dashes only": "-" * 1_000_000,
    "bytes": "password=b" * 100_000,
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_made_to_hurt_is_done(name):
    """Every pattern's time is linear in the text: a megabyte chosen against it ends well before the test's time-out."""
    redact(ADVERSARIAL[name])
    assert len(clean(ADVERSARIAL[name], 2048)) < 2200


def test_secret_across_the_cut_is_not_left_in_half():
    """A secret that lies on the edge of what is looked at does not survive as a piece that nobody recognises."""
    for shift in range(60):
        text = "-----BEGIN PRIVATE KEY-----" + "x" * (350 - shift) + "-----END PRIVATE KEY----- ghp_" + CANARY * 9
        assert CANARY not in clean(text, 100)


def test_cap_holds_for_short_texts_too():
    """A short text is cut as a long one is."""
    assert clean("x" * 100, 64) == "x" * 64 + " [cut 36 characters]"


class Sly(str):
    """A text that lies about itself."""

    __slots__ = ()

    def __len__(self):
        return 1

    def isascii(self):
        raise ZeroDivisionError

    def __hash__(self):
        raise ZeroDivisionError


def test_subclass_of_text_is_read_as_the_text_that_it_is():
    """What a subclass of `str` answers is not asked."""
    cleaned = clean(Sly("password=hunter2"), 100)
    assert (type(cleaned), cleaned) == (str, f"password={MASK}")
