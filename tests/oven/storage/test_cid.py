from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pins.ipfs.cid import DAG_PB, PROFILES, RAW, BadCid, Cid, Profile, of_chunks, of_file, parse

TINY = (Profile("v0-tiny", 0, 1024, 3, False), Profile("v1-tiny", 1, 1024, 3, True))
BY_NAME = {profile.name: profile for profile in (*PROFILES, *TINY)}

# Made by ipfs-unixfs-importer (npm) 12.0.1 and again by 15.4.0, which agree on each: profile, bytes, CID. The bytes are
# those of SHAKE-128 over "oven". The tiny profiles have trees of up to four levels.
VECTORS = [
    ("v0-256k", 0, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
    ("v0-256k", 11, "QmYSrNM2vCTQCZC9wETziud4FUBZfx9Hfa4XNnXGYsXVYj"),
    ("v0-256k", 100, "QmXNmKSuguJNvVzBg8ta67t7ZagySo46p5VfjcNonsZV6D"),
    ("v0-256k", 262144, "QmPHcYiib8DTSBiWq8mTGPiGX1z4EmiBY9r1QyQKP69TL8"),
    ("v0-256k", 262145, "QmbQ3YhZSkaimm6apGyDs5EV3X8QkxTfAD8pQrc7KhQJbc"),
    ("v0-256k", 700000, "QmR57Fb9GL9LT4PkZYKLGyiBgZUU8PJ1C6P7SWS9LC2Smc"),
    ("v0-256k", 1048576, "QmQ1jsDTfu3E5FVfNx1zF6w5Nd3NzbBF6tNN3rUjJYrDWb"),
    ("v0-256k", 1048577, "QmUhRakj48eUPwjv1aMtzNvM6UAAg1RWb3pVxzK8Zxxwd5"),
    ("v0-256k", 45613056, "QmPxhk4jWX8TJJprqs6wFQp2hLEXGBRFrinYQDDXbp4FYV"),
    ("v0-256k", 45613057, "QmVA3DbmVY5Qt1xsrP4xxdw3Y2fvmXTdnZT6eD8SHEJPFW"),
    ("v0-256k", 56000000, "QmQvctSGEHDQeXghZukARaP2hhgRQbFwsk5Atd1tKf7qSF"),
    ("v1-256k", 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    ("v1-256k", 11, "bafkreicu54ejos46y3bcbr4k25h2gszpn4xrn6onid6am4kszi2tznftyq"),
    ("v1-256k", 100, "bafkreibbgj7kycirug3w646stqglzguvx2vmnl65zv6mqonbqrywyobiwy"),
    ("v1-256k", 262144, "bafkreig3pc6a62zhlqbaqjw5vcqlsvbbz2da5tujl3utnrw2zu37zaz564"),
    ("v1-256k", 262145, "bafybeihjc2lucau2lqrlernxemjsluebi2yds7zxzdekgzhsexdtdspmeq"),
    ("v1-256k", 700000, "bafybeieovfavgatx253oizc76x6stywryyah4toylhtzigatw5nxjzgrse"),
    ("v1-256k", 1048576, "bafybeifyu7ivnqk4yt52ibdgt7qbyzctgdytcxqgsf6b6hn55rruqfhsx4"),
    ("v1-256k", 1048577, "bafybeigshwb6n66akxfvolcfvrw45n6zyj5wamklzwmdatu5neyix2yc4e"),
    ("v1-256k", 45613056, "bafybeicfmi4qivqygcydp7yihvkhthkuguslhrff4ss2illokytxin26ce"),
    ("v1-256k", 45613057, "bafybeidk7d5izagcbpspzngr4gvag7lpd2kkzztq4mptf5xdwt75hsem44"),
    ("v1-256k", 56000000, "bafybeiacjqhbxylcq23svpdzdifsqeqccgtga6yv3g63zpuof4eshysapa"),
    ("v1-1m", 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    ("v1-1m", 11, "bafkreicu54ejos46y3bcbr4k25h2gszpn4xrn6onid6am4kszi2tznftyq"),
    ("v1-1m", 100, "bafkreibbgj7kycirug3w646stqglzguvx2vmnl65zv6mqonbqrywyobiwy"),
    ("v1-1m", 262144, "bafkreig3pc6a62zhlqbaqjw5vcqlsvbbz2da5tujl3utnrw2zu37zaz564"),
    ("v1-1m", 262145, "bafkreib76qmpw42dz3h3xghvzkygz3uyrajkufvimx5txifk6pglebhdia"),
    ("v1-1m", 700000, "bafkreiamen424krorwpsoln7lecgj7iipvcpbpeirnciqco4wv72uhtoqy"),
    ("v1-1m", 1048576, "bafkreidk6pnmirfhz5tg4fbze7h7ovkrh625enhevh6c52nckornvh4jb4"),
    ("v1-1m", 1048577, "bafybeifiovw5gxpk77nqj7wihkmgm5jo3jdkxr5wampionvrptiajeoiqm"),
    ("v1-1m", 45613056, "bafybeifr4g2dksgnyerojlavgdqlv64yiandkfw46hqaaejmqzvofu4pzy"),
    ("v1-1m", 45613057, "bafybeidu3frcfwxpxpykxsnbxop675ula5roduxgjg2gssxfw4h7ff5oqi"),
    ("v1-1m", 56000000, "bafybeiglxxsg7oda46bpmi57ib3mgeaf5fwmepq65x42h2yjr7qaxdfoua"),
    ("v1-1m-174", 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    ("v1-1m-174", 11, "bafkreicu54ejos46y3bcbr4k25h2gszpn4xrn6onid6am4kszi2tznftyq"),
    ("v1-1m-174", 100, "bafkreibbgj7kycirug3w646stqglzguvx2vmnl65zv6mqonbqrywyobiwy"),
    ("v1-1m-174", 262144, "bafkreig3pc6a62zhlqbaqjw5vcqlsvbbz2da5tujl3utnrw2zu37zaz564"),
    ("v1-1m-174", 262145, "bafkreib76qmpw42dz3h3xghvzkygz3uyrajkufvimx5txifk6pglebhdia"),
    ("v1-1m-174", 700000, "bafkreiamen424krorwpsoln7lecgj7iipvcpbpeirnciqco4wv72uhtoqy"),
    ("v1-1m-174", 1048576, "bafkreidk6pnmirfhz5tg4fbze7h7ovkrh625enhevh6c52nckornvh4jb4"),
    ("v1-1m-174", 1048577, "bafybeifiovw5gxpk77nqj7wihkmgm5jo3jdkxr5wampionvrptiajeoiqm"),
    ("v1-1m-174", 45613056, "bafybeifr4g2dksgnyerojlavgdqlv64yiandkfw46hqaaejmqzvofu4pzy"),
    ("v1-1m-174", 45613057, "bafybeidu3frcfwxpxpykxsnbxop675ula5roduxgjg2gssxfw4h7ff5oqi"),
    ("v1-1m-174", 56000000, "bafybeiglxxsg7oda46bpmi57ib3mgeaf5fwmepq65x42h2yjr7qaxdfoua"),
    ("v0-tiny", 1, "Qmc3EqSYR35qjLDD6SJ6YK9c6kKf35QdEKyAbA2CCUUJy1"),
    ("v0-tiny", 1024, "QmZFTttoaW4qUG4MkRJpnsuoWcxCw3iZYPWaDYetrbn28E"),
    ("v0-tiny", 1025, "QmfFiWaFfgE2j1MAN3wgDCdCzJBD71TXEA9aFMC7wSfL83"),
    ("v0-tiny", 3072, "QmTREmqxFPVKvKfHV6QP9HQGTxD7ZURpWhU4YLaJqKBpaF"),
    ("v0-tiny", 3073, "QmPwZLPitKMggU5rBdVfBHvBBmWktW2UhwMeuL6Q9pQJxY"),
    ("v0-tiny", 9216, "QmTBuhQdcHKBBtKK23jHqfJ7gxRwCoPHYkdSQ89JLybJe9"),
    ("v0-tiny", 9217, "QmUmsJBX6oU4SpKpM4VaYhYcAQdBjeujkAJGUmeaZUpScQ"),
    ("v0-tiny", 27648, "QmVZnZxqevp8mHeDACU4a3j4kETR2vXAgxuH2qFyC3UB5m"),
    ("v0-tiny", 27649, "QmaoMkyPv1oh4bJ9qtJXzRzmzhiWo4jmyjSwjsLHZBtg9K"),
    ("v0-tiny", 30000, "QmSdPR1vkYUwPC2YQK8qUAkcWE2UU15vFcJcmJowvaivu6"),
    ("v1-tiny", 1, "bafkreicmsref4dbbvzwedtq57z5wx6wo5jnlndsaujdw6ubarzjg6udaqa"),
    ("v1-tiny", 1024, "bafkreifwgzvh5szbhn4kir4rtm5exusli2tdkiqkawrof6wjd5zvmwx6tm"),
    ("v1-tiny", 1025, "bafybeiarmpwrh6zq3uhap2e6ig23p6quzqqdygacq6if7ob5pwivrgttxe"),
    ("v1-tiny", 3072, "bafybeigrqs4gplrn5jscdpuu2525m46qqsxfqembdycckt4lzsi2ju3ccu"),
    ("v1-tiny", 3073, "bafybeiarbzbxvnwprmcb2teipa2l4xznqaqhi7rbpqvf2ywmd5mcaf47va"),
    ("v1-tiny", 9216, "bafybeig3tp2wf3haisqiri4hnckcllxqbkid3ifyaa2bqh5xso6ojm7q6a"),
    ("v1-tiny", 9217, "bafybeif4c2uk3qzyr5bb3xzncngg555zk3wmzmhei6lhiw3ol2drbsl2jq"),
    ("v1-tiny", 27648, "bafybeic6t4hlc4tfgucw6iwzjp6mru7tz5imceyxfc2txmeiogo3piomna"),
    ("v1-tiny", 27649, "bafybeiays4kgmheaszpqucuswmj7pmql3bk7qwvcxzxciddy4ugxpt43la"),
    ("v1-tiny", 30000, "bafybeih2fybrnekwo63ltamtgl6zo6utmyzywikmvyfqg5u3snmqcs2fea"),
]
# Known all over: the empty file, and "hello world" with and without its line end.
KNOWN = [
    (b"", "v0-256k", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
    (b"hello world\n", "v0-256k", "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"),
    (b"hello world", "v1-256k", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"),
]


def oven_bytes(size: int) -> bytes:
    return hashlib.shake_128(b"oven").digest(size) if size else b""


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, int], str]:
    """What we make of every size, each file read once for all of its profiles."""
    answers = {}
    for size in sorted({size for _, size, _ in VECTORS}):
        wanted = [BY_NAME[name] for name, known, _ in VECTORS if known == size]
        for name, cid in of_chunks(pieces(oven_bytes(size), 1 << 18), wanted).items():
            answers[name, size] = cid.text(BY_NAME[name].version)
    return answers


@pytest.mark.parametrize(("profile", "size", "expected"), VECTORS)
def test_a_cid_equals_the_published_vector(
    found: dict[tuple[str, int], str], profile: str, size: int, expected: str
) -> None:
    assert found[profile, size] == expected


@pytest.mark.parametrize(("data", "profile", "expected"), KNOWN)
def test_well_known_files_have_their_well_known_cids(data: bytes, profile: str, expected: str) -> None:
    cid = of_chunks(iter([data]), [BY_NAME[profile]])[profile]
    assert cid.text(BY_NAME[profile].version) == expected


def test_the_pieces_in_which_bytes_come_do_not_matter() -> None:
    data = oven_bytes(30_000)
    assert len({str(of_chunks(pieces(data, size), TINY)) for size in (1, 7, 1024, 5000, 30_000)}) == 1


def test_a_file_is_read_once_for_all_profiles(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(oven_bytes(1_048_577))
    found = {name: cid.text(BY_NAME[name].version) for name, cid in of_file(path).items()}
    assert found == {name: cid for name, size, cid in VECTORS if size == 1_048_577}


def test_a_cid_is_read_in_every_spelling() -> None:
    for _, _, text in VECTORS:
        assert text in parse(text).texts
    leaf = parse("bafkreicu54ejos46y3bcbr4k25h2gszpn4xrn6onid6am4kszi2tznftyq")
    assert (leaf.codec, parse(leaf.text(1).upper())) == (RAW, leaf)
    assert parse("zb2rhcMpqovzqPxmBQqDMz1zMVXVujgs8ByDXJ2cmTU5BtyPH") == leaf
    node = Cid(DAG_PB, bytes(range(32)))
    assert parse(node.text(0)) == parse(node.text(1)) == node


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "none",
            "Qm",
            "Qm0OIl",
            "QmYSrNM2vCTQCZC9wETziud4FUBZfx9Hfa4XNnXGYsXVY",
            "bafkrei",
            "b!",
            "z",
            "QmYS\n",
        ),
        *("b" * 5000, "bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", "../../etc/passwd"),
    ],
)
def test_what_is_no_cid_of_a_file_is_refused(text: str) -> None:
    with pytest.raises(BadCid):
        parse(text)
