-- What its object store knows this database by.
CREATE TABLE site (
    id text PRIMARY KEY
);
INSERT INTO site (id) VALUES (gen_random_uuid()::text);
