CREATE TABLE nhanes_chol (
    sdmvpsu  integer NOT NULL,
    sdmvstra integer NOT NULL,
    wtmec2yr double precision NOT NULL,
    hi_chol  smallint,
    race     smallint NOT NULL,
    agecat   text NOT NULL,
    riagendr smallint NOT NULL
);
COMMENT ON TABLE nhanes_chol IS
    'NHANES 2009-10 (US National Health and Nutrition Examination Survey), total cholesterol: one row per person examined.';
COMMENT ON COLUMN nhanes_chol.sdmvpsu IS
    'Primary sampling unit of the survey design, numbered within its stratum (sdmvstra).';
COMMENT ON COLUMN nhanes_chol.sdmvstra IS 'Stratum of the survey design.';
COMMENT ON COLUMN nhanes_chol.wtmec2yr IS
    'Survey weight of the two-year examination sample: the number of people in the US whom this person stands for.';
COMMENT ON COLUMN nhanes_chol.hi_chol IS
    'High total cholesterol: 1 = over 240 mg/dl, 0 = not; NULL = not measured.';
COMMENT ON COLUMN nhanes_chol.race IS
    'Race and ethnicity: 1 = Hispanic, 2 = non-Hispanic white, 3 = non-Hispanic black, 4 = other.';
COMMENT ON COLUMN nhanes_chol.agecat IS
    'Age in years as an interval, open on the left: (0,19], (19,39], (39,59], (59,Inf].';
COMMENT ON COLUMN nhanes_chol.riagendr IS 'Gender: 1 = male, 2 = female.';
