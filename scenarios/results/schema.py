"""The tables of a results file. One file holds one simulation: all runs of a scenario with one algorithm.

Times ending in `_s` are UNIX seconds of virtual time (`datetime(start_s, 'unixepoch')` reads them); those ending in
`_utc` are ISO 8601 of the wall clock. Energies are Wh.
"""

from __future__ import annotations

import sqlite3
from enum import IntEnum

APPLICATION_ID = 0x53534D43
"""`PRAGMA application_id`, "SSMC": distinguishes our files from other SQLite files."""
SWEEP_ID = 0x53534D57
"""`PRAGMA application_id` of a sweep's file, "SSMW"; see `scenarios.sweep`."""


class ResultsFormat(IntEnum):
    """What a program must know to read a results file: `PRAGMA user_version`, and `schema_version` in `meta`.

    A file has the least format that its content allows, so that older releases can read whatever they would read
    correctly, and refuse the rest as written by a newer release. Anything new that an older release would misread, or
    take for damage, needs a further format, and only files with it have that format.
    """

    BASIC = 1
    COMPRESSED = 2
    """The scenario is compressed."""
    EXTENDED = 3
    """Its figures depend on something that the first releases did not have: shared supply, base loads, a community,
    prices that vary, events during the run, or real devices. They would have left it out of the figures."""


NEWEST_FORMAT = max(ResultsFormat)
"""The newest format that this release reads; it reads all earlier ones, too."""

SCORES_TABLE = """
CREATE TABLE IF NOT EXISTS scores ( -- who was asked first: the lowest score; files of before it was kept have no table
  run         INTEGER NOT NULL REFERENCES runs (run),
  producer_id INTEGER NOT NULL REFERENCES producers (id),
  before      INTEGER NOT NULL,
  after       INTEGER NOT NULL,
  PRIMARY KEY (run, producer_id)
) WITHOUT ROWID;
"""

DROPPED_HOSTS_TABLE = """
CREATE TABLE IF NOT EXISTS dropped_hosts ( -- whom the run ended without; files of before it was kept have no table
  run         INTEGER NOT NULL REFERENCES runs (run),
  host        TEXT NOT NULL,
  why         TEXT NOT NULL,
  quarantined INTEGER NOT NULL, -- 1: put out because it broke the protocol; 0: it was away too long
  PRIMARY KEY (run, host)
) WITHOUT ROWID;
"""

DISPUTES_TABLE = """
CREATE TABLE IF NOT EXISTS disputes ( -- where households contradict the ledger; files without disputes have no table
  run  INTEGER NOT NULL REFERENCES runs (run),
  n    INTEGER NOT NULL, -- from 1
  what TEXT NOT NULL,
  PRIMARY KEY (run, n)
) WITHOUT ROWID;
"""

BASE_LOADS_TABLE = """
CREATE TABLE IF NOT EXISTS base_loads ( -- the part of the consumption that is base load; older files have no table
  run         INTEGER NOT NULL REFERENCES runs (run),
  house_id    INTEGER NOT NULL REFERENCES houses (id),
  minute_s    INTEGER NOT NULL,
  consumed_wh REAL NOT NULL,
  own_wh      REAL NOT NULL, -- from the house's own producers
  bought_wh   REAL NOT NULL, -- from other houses' producers; the rest is grid power
  PRIMARY KEY (run, house_id, minute_s)
) WITHOUT ROWID;
"""
SHARES_TABLE = """
CREATE TABLE IF NOT EXISTS shares ( -- with shared supply: who gives what since an event of a contract's history
  run          INTEGER NOT NULL,
  contract_id  TEXT NOT NULL,
  n            INTEGER NOT NULL, -- of the event in `history`; 0: the contract as it is now
  producer     TEXT NOT NULL,
  energy_wh    REAL NOT NULL,
  minutes_json TEXT NOT NULL,    -- [[minutes, mWh in each of them], ...] from the minute in which the job starts
  PRIMARY KEY (run, contract_id, n, producer)
) WITHOUT ROWID;
"""

SUPPLIERS_TABLE = """
CREATE TABLE IF NOT EXISTS suppliers ( -- with shared supply: a contract's producer since an event, where it has changed
  run         INTEGER NOT NULL,
  contract_id TEXT NOT NULL,
  n           INTEGER NOT NULL,
  producer    TEXT NOT NULL,
  PRIMARY KEY (run, contract_id, n)
) WITHOUT ROWID;
"""
SHARE_TABLES = (SHARES_TABLE, SUPPLIERS_TABLE)
"""Only files with shared supply have them."""

BILLS_TABLE = """
CREATE TABLE IF NOT EXISTS bills ( -- of runs that ended, where the scenario has a tariff; older files have no table
  run                INTEGER NOT NULL REFERENCES runs (run),
  house_id           INTEGER NOT NULL REFERENCES houses (id),
  allocation_key     TEXT,          -- NULL: by contract and minute; the next lines of the bill are then NULL too
  consumed_wh        REAL NOT NULL,
  produced_wh        REAL NOT NULL,
  own_wh             REAL NOT NULL, -- consumed from the house's own producers
  bought_wh          REAL NOT NULL, -- from other houses
  sold_wh            REAL NOT NULL, -- to other houses
  imported_wh        REAL NOT NULL, -- from the grid
  fed_in_wh          REAL NOT NULL, -- to the grid
  import_eur         REAL,          -- what is earned is negative
  feed_in_eur        REAL,
  local_bought_eur   REAL,
  local_sold_eur     REAL,
  grid_fee_eur       REAL,
  local_grid_fee_eur REAL,
  fixed_eur          REAL,
  vat_eur            REAL,
  with_eur           REAL NOT NULL,
  without_eur        REAL NOT NULL, -- the same consumption at the same times without the neighbourhood
  saving_eur         REAL NOT NULL,
  PRIMARY KEY (run, house_id)
) WITHOUT ROWID;
"""

TABLES = f"""
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE simulation (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  scenario      TEXT NOT NULL,
  scenario_json TEXT NOT NULL, -- the complete scenario: the results need no other file; a large one is a zlib BLOB
  algorithm     TEXT NOT NULL,
  settings_json TEXT NOT NULL,
  broker        TEXT NOT NULL,
  hosts         INTEGER,       -- NULL: one a household
  seeds_json    TEXT NOT NULL, -- of the runs that were planned
  versions_json TEXT NOT NULL, -- of ssmic, python, numpy, scipy, sqlite
  created_utc   TEXT NOT NULL
);

CREATE TABLE houses (
  id    INTEGER PRIMARY KEY,
  house TEXT NOT NULL UNIQUE,
  name  TEXT NOT NULL
);

CREATE TABLE producers (
  id       INTEGER PRIMARY KEY,
  producer TEXT NOT NULL UNIQUE,
  house_id INTEGER NOT NULL REFERENCES houses (id)
);

CREATE TABLE jobs (
  job_id           TEXT PRIMARY KEY,
  source_id        TEXT NOT NULL,
  house            TEXT NOT NULL,
  device           TEXT NOT NULL,
  profile          TEXT NOT NULL,
  registered_s     INTEGER NOT NULL,
  earliest_start_s INTEGER NOT NULL,
  latest_start_s   INTEGER NOT NULL,
  duration_s       INTEGER NOT NULL,
  energy_wh        REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
  run                 INTEGER PRIMARY KEY, -- counts from 1
  run_id              TEXT NOT NULL UNIQUE,
  seed                INTEGER NOT NULL,
  state               TEXT NOT NULL CHECK (state IN ('running', 'done', 'interrupted', 'failed')),
  start_s             INTEGER NOT NULL,
  reached_s           INTEGER NOT NULL,    -- how far virtual time came; the run's end once it has ended
  ledger_sha256       TEXT,                -- NULL while running
  messages            INTEGER NOT NULL DEFAULT 0,
  negotiations        INTEGER NOT NULL DEFAULT 0,
  wall_s              REAL,
  not_registered_json TEXT NOT NULL DEFAULT '[]', -- ids of the jobs that the run ended too early for
  error               TEXT NOT NULL DEFAULT '',
  kpis_json           TEXT,
  comparison_json     TEXT,                -- the clairvoyant optimum and baselines, where they were asked for
  written_utc         TEXT NOT NULL        -- when something was last written
);

CREATE TABLE contracts (
  run         INTEGER NOT NULL REFERENCES runs (run),
  contract_id TEXT NOT NULL,
  job_id      TEXT NOT NULL,
  producer    TEXT NOT NULL, -- 'grid' or a producer
  start_s     INTEGER NOT NULL,
  agreed_s    INTEGER NOT NULL,
  energy_wh   REAL NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('standing', 'cancelled', 'lost')),
  PRIMARY KEY (run, contract_id)
) WITHOUT ROWID;

CREATE TABLE history (
  run         INTEGER NOT NULL,
  contract_id TEXT NOT NULL,
  n           INTEGER NOT NULL, -- counts from 1
  at_s        INTEGER NOT NULL,
  what        TEXT NOT NULL,
  start_s     INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  PRIMARY KEY (run, contract_id, n),
  FOREIGN KEY (run, contract_id) REFERENCES contracts (run, contract_id)
) WITHOUT ROWID;

CREATE TABLE messages (
  id        INTEGER PRIMARY KEY,
  run       INTEGER NOT NULL REFERENCES runs (run),
  n         INTEGER NOT NULL, -- counts the run's messages from 1
  time_s    INTEGER NOT NULL,
  round     INTEGER NOT NULL,
  sender    TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  kind      TEXT NOT NULL,
  job_id    TEXT,             -- which job it is about, where it is about one
  body_json TEXT NOT NULL     -- a request leaves out the load profile where it is the scenario's
);
CREATE UNIQUE INDEX messages_by_run ON messages (run, n);
CREATE INDEX messages_by_job ON messages (run, job_id, n) WHERE job_id IS NOT NULL;

CREATE TABLE production ( -- minutes in which nothing was produced or drawn are left out
  run           INTEGER NOT NULL REFERENCES runs (run),
  producer_id   INTEGER NOT NULL REFERENCES producers (id),
  minute_s      INTEGER NOT NULL,
  produced_wh   REAL NOT NULL,
  contracted_wh REAL NOT NULL,
  delivered_wh  REAL NOT NULL,
  PRIMARY KEY (run, producer_id, minute_s)
) WITHOUT ROWID;

CREATE TABLE consumption ( -- minutes in which nothing was drawn are left out
  run          INTEGER NOT NULL REFERENCES runs (run),
  house_id     INTEGER NOT NULL REFERENCES houses (id),
  minute_s     INTEGER NOT NULL,
  consumed_wh  REAL NOT NULL,
  delivered_wh REAL NOT NULL,
  PRIMARY KEY (run, house_id, minute_s)
) WITHOUT ROWID;

{SCORES_TABLE}{DROPPED_HOSTS_TABLE}{BASE_LOADS_TABLE}{BILLS_TABLE}"""


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether a file has a table; those of earlier versions of ssmic lack some.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None
