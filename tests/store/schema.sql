-- revision 0003
CREATE TABLE change (
  sequence INTEGER NOT NULL,
  at DATETIME NOT NULL,
  PRIMARY KEY (sequence)
);
CREATE TABLE lake_object (
  name VARCHAR(80) NOT NULL,
  source VARCHAR(64) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  key_version INTEGER NOT NULL,
  rows BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (name)
);
CREATE TABLE person (
  lookup BLOB NOT NULL,
  pseudonym VARCHAR(24) NOT NULL,
  sealed_identifier BLOB NOT NULL,
  sealed_text_key BLOB NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (lookup),
  UNIQUE (pseudonym)
);
CREATE TABLE pipeline_run (
  id INTEGER NOT NULL,
  started_at DATETIME NOT NULL,
  finished_at DATETIME,
  status VARCHAR(16) NOT NULL,
  release_id VARCHAR(40),
  detail JSON NOT NULL,
  PRIMARY KEY (id)
);
CREATE TABLE producer (
  name VARCHAR(100) NOT NULL,
  key_id VARCHAR(24) NOT NULL,
  key_hash VARCHAR(64) NOT NULL,
  sources JSON NOT NULL,
  rate_limit INTEGER,
  created_at DATETIME NOT NULL,
  revoked_at DATETIME,
  PRIMARY KEY (name),
  UNIQUE (key_id)
);
CREATE TABLE restatement (
  id INTEGER NOT NULL,
  source VARCHAR(64) NOT NULL,
  logical_name TEXT NOT NULL,
  old_file_id VARCHAR(20) NOT NULL,
  new_file_id VARCHAR(20) NOT NULL,
  rows_added BIGINT NOT NULL,
  rows_removed BIGINT NOT NULL,
  rows_changed BIGINT NOT NULL,
  net_sales_moved TEXT,
  at DATETIME NOT NULL,
  sequence BIGINT NOT NULL,
  PRIMARY KEY (id)
);
CREATE TABLE source_file (
  file_id VARCHAR(20) NOT NULL,
  source VARCHAR(64) NOT NULL,
  logical_name TEXT NOT NULL,
  content_hash VARCHAR(64) NOT NULL,
  version INTEGER NOT NULL,
  status VARCHAR(16) NOT NULL,
  is_active BOOLEAN NOT NULL,
  sequence BIGINT NOT NULL,
  retired_sequence BIGINT,
  rows_read BIGINT NOT NULL,
  rows_landed BIGINT NOT NULL,
  rows_quarantined BIGINT NOT NULL,
  rows_duplicate BIGINT NOT NULL,
  rows_repaired BIGINT NOT NULL,
  warnings JSON NOT NULL,
  repairs JSON NOT NULL,
  reasons JSON NOT NULL,
  drift JSON NOT NULL,
  contract_version VARCHAR(32) NOT NULL,
  format VARCHAR(16) NOT NULL,
  bytes BIGINT NOT NULL,
  min_event_at DATETIME,
  max_event_at DATETIME,
  landed_at DATETIME NOT NULL,
  error TEXT,
  object_name VARCHAR(80),
  PRIMARY KEY (file_id)
);
CREATE INDEX source_file_by_name ON source_file (source, logical_name);
CREATE INDEX source_file_by_retirement ON source_file (retired_sequence);
CREATE INDEX source_file_by_sequence ON source_file (sequence);
CREATE TABLE stream_position (
  stream VARCHAR(300) NOT NULL,
  partition INTEGER NOT NULL,
  next_offset BIGINT NOT NULL,
  updated_at DATETIME NOT NULL,
  PRIMARY KEY (stream, partition)
);
CREATE TABLE file_day (
  file_id VARCHAR(20) NOT NULL,
  day DATE NOT NULL,
  rows BIGINT NOT NULL,
  PRIMARY KEY (file_id, day),
  FOREIGN KEY(file_id) REFERENCES source_file (file_id)
);
CREATE TABLE file_object (
  file_id VARCHAR(20) NOT NULL,
  object_name VARCHAR(80) NOT NULL,
  PRIMARY KEY (file_id, object_name),
  FOREIGN KEY(file_id) REFERENCES source_file (file_id)
);
CREATE INDEX file_object_by_object ON file_object (object_name);
CREATE TABLE quarantine_row (
  quarantine_id INTEGER NOT NULL,
  file_id VARCHAR(20) NOT NULL,
  source VARCHAR(64) NOT NULL,
  line BIGINT NOT NULL,
  reasons JSON NOT NULL,
  object_name VARCHAR(80) NOT NULL,
  status VARCHAR(16) NOT NULL,
  edited BOOLEAN NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (quarantine_id),
  FOREIGN KEY(file_id) REFERENCES source_file (file_id)
);
CREATE INDEX quarantine_row_by_file ON quarantine_row (file_id);
CREATE INDEX quarantine_row_by_status ON quarantine_row (status, source);
