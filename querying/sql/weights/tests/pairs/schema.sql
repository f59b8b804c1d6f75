-- The data of the pairs beside this file. Small enough to work an estimate out by hand.

-- ── panel: people, and what they watched ─────────────────────────────────────────────────────────────────────
CREATE TABLE cities (city_id int PRIMARY KEY, city text, region text);
INSERT INTO cities VALUES (1, 'Pune', 'West'), (2, 'Surat', 'West'), (3, 'Patna', 'East'), (4, 'Salem', 'South');

-- no key: a city may have several notes, and PostgreSQL cannot know that it has not
CREATE TABLE city_notes (city_id int, note text);
INSERT INTO city_notes VALUES (1, 'fibre'), (1, 'metro'), (2, 'fibre'), (3, 'rural');

-- weights in thousands of people; the design says scale: 1000
CREATE TABLE persons (
    person_id int PRIMARY KEY, gender text, age int, city_id int REFERENCES cities, income numeric, online boolean,
    weight double precision
);
INSERT INTO persons VALUES
    (1, 'Female', 23, 1, 30000, true, 1.5),
    (2, 'Female', 35, 1, 52000, true, 0.8),
    (3, 'Male', 41, 2, 47000, false, 2.25),
    (4, 'Male', 29, 2, NULL, true, 1.1),
    (5, 'Female', 52, 3, 61000, false, 0.4),
    (6, 'Male', 67, NULL, 22000, false, 3),
    (7, 'Female', 19, 1, 18000, true, NULL),         -- not weighted yet
    (8, 'Male', 33, 2, 70000, true, 0),              -- failed quality control
    (9, 'Female', 44, 3, 39000, NULL, -1),           -- a mistake
    (10, 'Male', 58, 1, 45000, true, 'NaN'),         -- a mistake
    (11, 'Female', 38, 4, 52000, true, 1.75),
    (12, 'Male', NULL, 3, 33000, NULL, 0.95),        -- has no events
    (13, 'Female', 27, 2, 28000, true, 'Infinity');  -- a mistake

CREATE TABLE apps (app text PRIMARY KEY, category text);
INSERT INTO apps VALUES ('Tube', 'Video'), ('Flix', 'Video'), ('Chat', 'Social'), ('Pay', 'Money');

CREATE TABLE events (
    event_id int PRIMARY KEY, person_id int, day date, app text, minutes double precision, device text
);
INSERT INTO events VALUES
    (1, 1, '2026-01-03', 'Tube', 30, 'phone'), (2, 1, '2026-01-04', 'Tube', 12.5, 'phone'),
    (3, 1, '2026-01-04', 'Chat', 3, 'phone'), (4, 1, '2026-02-11', 'Flix', 95, 'tv'),
    (5, 2, '2026-01-05', 'Tube', NULL, 'phone'), (6, 2, '2026-01-20', 'Pay', 1, 'phone'),
    (7, 2, '2026-02-02', 'Tube', 45, 'tv'), (8, 3, '2026-01-09', 'Flix', 120, 'tv'),
    (9, 3, '2026-02-09', 'Flix', 88, 'tv'), (10, 3, '2026-02-10', 'Tube', 7, 'phone'),
    (11, 4, '2026-01-15', 'Chat', 4, 'phone'), (12, 4, '2026-01-15', 'Chat', NULL, 'phone'),
    (13, 5, '2026-02-20', 'Pay', 2, 'phone'), (14, 5, '2026-02-21', 'Tube', 60, 'tv'),
    (15, 6, '2026-01-30', 'Tube', 200, 'tv'), (16, 6, '2026-02-28', 'Tube', 180, 'tv'),
    (17, 7, '2026-01-02', 'Chat', 9, 'phone'), (18, 8, '2026-01-08', 'Flix', 50, 'tv'),
    (19, 9, '2026-02-14', 'Tube', 33, 'phone'), (20, 10, '2026-01-19', 'Pay', 5, 'phone'),
    (21, 11, '2026-01-22', 'Chat', 15, 'phone'), (22, 11, '2026-02-01', 'Flix', 75, 'tv'),
    (23, 11, '2026-02-03', 'Chat', 6, 'phone'), (24, 13, '2026-02-05', 'Flix', 40, 'tv'),
    (25, 99, '2026-01-06', 'Tube', 10, 'phone'),     -- nobody in the panel
    (26, NULL, '2026-01-07', 'Chat', 8, 'phone'),    -- nobody at all
    (27, 2, '2026-02-15', 'Game', 20, NULL);         -- an app that apps does not list

-- ── households: in the table of their members, and in a table of their own ───────────────────────────────────
CREATE TABLE members (
    member_id int PRIMARY KEY, household_id int, age int, wage numeric, household_income numeric,
    weight double precision, household_weight double precision
);
INSERT INTO members VALUES
    (1, 1, 40, 900, 1500, 10, 8), (2, 1, 38, 600, 1500, 12, 8), (3, 1, 9, NULL, 1500, 9, 8),
    (4, 2, 71, 300, 300, 20, 21), (5, 3, 33, 1200, 2100, 14, 13), (6, 3, 31, 900, 2100, 0, 13),
    (7, 4, 55, 700, 700, 17, NULL), (8, 5, 24, 0, 450, 11, 5), (9, 5, 26, 450, 450, NULL, 5);

CREATE TABLE homes (home_id int PRIMARY KEY, rooms int, rent numeric, weight double precision);
INSERT INTO homes VALUES (1, 3, 500, 100), (2, 1, 250, 140), (3, 5, NULL, 60), (4, 2, 320, NULL);

CREATE TABLE meters (home_id int, day date, kwh double precision);
INSERT INTO meters VALUES
    (1, '2026-01-01', 9), (1, '2026-01-02', 11), (2, '2026-01-01', 4), (3, '2026-01-01', 20), (3, '2026-01-02', NULL),
    (4, '2026-01-01', 6);

CREATE TABLE tenants (tenant_id int PRIMARY KEY, home_id int REFERENCES homes, age int, weight double precision);
INSERT INTO tenants VALUES
    (1, 1, 44, 210), (2, 1, 41, 190), (3, 2, 67, 300), (4, 3, 35, 120), (5, 3, 12, 130), (6, 3, 8, 0), (7, 4, 29, 90);

-- ── keyless: a row is a person, and nothing names them; weights have a mean of one ───────────────────────────
CREATE TABLE answers (region text, age int, happy int, score double precision, weight double precision);
INSERT INTO answers VALUES
    ('North', 20, 1, 3.5, 0.5), ('North', 34, 0, 4, 1.25), ('North', 51, NULL, 8, 0.9), ('South', 28, 1, 6.5, 1.6),
    ('South', 45, 1, NULL, 0.75), ('South', 62, 0, 9, 1), ('South', 39, NULL, 2, NULL), ('East', 70, 0, 1, 0);

-- ── months: a person weighs differently in each month ────────────────────────────────────────────────────────
CREATE TABLE viewers (person_id int PRIMARY KEY, gender text, age int);
INSERT INTO viewers VALUES (1, 'Female', 30), (2, 'Male', 45), (3, 'Female', 61), (4, 'Male', 22);

CREATE TABLE monthly_weights (person_id int, month date, weight double precision, PRIMARY KEY (person_id, month));
INSERT INTO monthly_weights VALUES
    (1, '2026-01-01', 10), (1, '2026-02-01', 14), (2, '2026-01-01', 20), (2, '2026-02-01', 0),
    (3, '2026-01-01', 7), (3, '2026-02-01', 9), (3, '2026-03-01', 8), (4, '2026-02-01', 16), (4, '2026-03-01', 15);

CREATE TABLE views (view_id int PRIMARY KEY, person_id int, day date, channel text, minutes double precision);
INSERT INTO views VALUES
    (1, 1, '2026-01-04', 'News', 20), (2, 1, '2026-01-31', 'News', 25), (3, 1, '2026-02-03', 'Film', 90),
    (4, 2, '2026-01-09', 'Film', 110), (5, 2, '2026-02-10', 'News', 5), (6, 3, '2026-01-22', 'News', 15),
    (7, 3, '2026-02-14', 'News', NULL), (8, 3, '2026-03-01', 'Film', 70), (9, 4, '2026-01-11', 'Film', 60),
    (10, 4, '2026-02-28', 'Film', 85), (11, 4, '2026-03-15', 'News', 12), (12, 1, '2026-03-02', 'News', 30);

-- ── for the SQL written by hand only: the base, which is those with a valid weight ───────────────────────────
-- `people` is how many people a person stands for: the weight times the scale
CREATE VIEW base AS
    SELECT *, weight * 1000 AS people FROM persons WHERE weight > 0 AND weight < 'Infinity';
CREATE VIEW base_members AS SELECT * FROM members WHERE weight > 0;
CREATE VIEW base_households AS
    SELECT DISTINCT household_id, household_income, household_weight FROM members WHERE household_weight > 0;
CREATE VIEW base_homes AS SELECT * FROM homes WHERE weight > 0;
CREATE VIEW base_tenants AS SELECT * FROM tenants WHERE weight > 0;
CREATE VIEW base_answers AS SELECT * FROM answers WHERE weight > 0;
CREATE VIEW base_months AS SELECT * FROM monthly_weights WHERE weight > 0;
