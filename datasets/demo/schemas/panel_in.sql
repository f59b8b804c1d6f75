CREATE TABLE panel_users (
    user_id   integer PRIMARY KEY,
    gender    text NOT NULL,
    age_group text NOT NULL,
    nccs      text NOT NULL,
    townclass text NOT NULL,
    state     text NOT NULL,
    weight    double precision
);
COMMENT ON TABLE panel_users IS 'Panellists of a synthetic digital consumer panel in India: one row per person.';
COMMENT ON COLUMN panel_users.user_id IS 'The panellist.';
COMMENT ON COLUMN panel_users.gender IS 'Male or Female.';
COMMENT ON COLUMN panel_users.age_group IS 'Age in years: 15-17, 18-24, 25-34, 35-44, 45-54, 55+.';
COMMENT ON COLUMN panel_users.nccs IS
    'New Consumer Classification System of the household, from A1 (highest) over A, B, C, D to E (lowest).';
COMMENT ON COLUMN panel_users.townclass IS
    'Size of the town by population in lakh (1L = 100,000): Metro 40L+, 10-40L, 1-10L, <1L, Rural.';
COMMENT ON COLUMN panel_users.state IS 'State or group of states of residence.';
COMMENT ON COLUMN panel_users.weight IS
    'Survey weight: the thousands of people whom this panellist stands for. NULL = not weighted yet, 0 = failed quality control.';

CREATE TABLE panel_events (
    event_id     integer PRIMARY KEY,
    user_id      integer NOT NULL REFERENCES panel_users,
    event_date   date NOT NULL,
    app          text NOT NULL,
    category     text NOT NULL,
    platform     text NOT NULL,
    duration_min double precision
);
CREATE INDEX panel_events_user_id ON panel_events (user_id, event_date);
CREATE INDEX panel_events_event_date ON panel_events (event_date);
CREATE INDEX panel_events_app ON panel_events (app, event_date);
COMMENT ON TABLE panel_events IS 'Sessions in apps, January to March 2026: one row per session of a panellist.';
COMMENT ON COLUMN panel_events.event_id IS 'The session.';
COMMENT ON COLUMN panel_events.user_id IS 'The panellist (panel_users.user_id).';
COMMENT ON COLUMN panel_events.event_date IS 'Day of the session.';
COMMENT ON COLUMN panel_events.app IS 'Name of the app.';
COMMENT ON COLUMN panel_events.category IS
    'Category of the app: Food, Gaming, Messaging, Music, Payments, Shopping, Social, Video.';
COMMENT ON COLUMN panel_events.platform IS 'Android, iOS, Web, or CTV (connected television).';
COMMENT ON COLUMN panel_events.duration_min IS 'Length of the session in minutes; NULL where it was not measured.';

CREATE TABLE panel_weights_monthly (
    user_id integer NOT NULL REFERENCES panel_users,
    month   date NOT NULL,
    weight  double precision NOT NULL,
    PRIMARY KEY (user_id, month)
);
CREATE INDEX panel_weights_monthly_month ON panel_weights_monthly (month);
COMMENT ON TABLE panel_weights_monthly IS
    'Survey weights by month, for estimates of one month: one row per panellist and month.';
COMMENT ON COLUMN panel_weights_monthly.user_id IS 'The panellist (panel_users.user_id).';
COMMENT ON COLUMN panel_weights_monthly.month IS 'First day of the month.';
COMMENT ON COLUMN panel_weights_monthly.weight IS
    'Survey weight in that month: the thousands of people whom this panellist stands for. 0 = failed quality control.';
