-- Who may log in, for sites that keep accounts in the database.
CREATE TABLE account (
    name text PRIMARY KEY,
    -- As in a passwd-file: {SCHEME}hash.
    password text NOT NULL,
    -- The extra fields of a passwd-file, such as allow_nets=192.0.2.0/24.
    extra text NOT NULL DEFAULT ''
);

-- Passwords of devices.
CREATE TABLE device (
    account text NOT NULL REFERENCES account ON DELETE CASCADE,
    label text NOT NULL,
    -- Networks with commas between them; anywhere where there are none.
    nets text NOT NULL DEFAULT '',
    read_only boolean NOT NULL DEFAULT false,
    made timestamptz NOT NULL DEFAULT now(),
    -- Of user and password, in hexadecimal.
    digest text NOT NULL,
    used_at timestamptz,
    used_from text,
    PRIMARY KEY (account, label)
);
