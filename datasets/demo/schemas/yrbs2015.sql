CREATE TABLE yrbs (
    weight  double precision NOT NULL,
    stratum integer NOT NULL,
    psu     integer NOT NULL,
    qn8     smallint
);
COMMENT ON TABLE yrbs IS
    'CDC Youth Risk Behavior Survey 2015, US high-school students, one question: one row per student.';
COMMENT ON COLUMN yrbs.weight IS
    'Survey weight, scaled to a mean of one: the student''s share of the population relative to the others.';
COMMENT ON COLUMN yrbs.stratum IS 'Stratum of the survey design.';
COMMENT ON COLUMN yrbs.psu IS 'Primary sampling unit of the survey design.';
COMMENT ON COLUMN yrbs.qn8 IS
    'Rarely or never wore a bicycle helmet, among students who had ridden a bicycle in the past 12 months: '
    '1 = yes, 2 = no; NULL = did not ride or did not answer.';
