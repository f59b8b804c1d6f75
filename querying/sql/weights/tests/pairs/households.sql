--# Members in a table that also tells their households: each member weighs as a member
--: dataset households
--: grain person
--: label weighted
SELECT COUNT(*) AS n, AVG(age) AS age, SUM(wage) AS wages FROM members
-->
SELECT SUM(weight), SUM(weight * age) / SUM(weight), SUM(weight * wage) FROM base_members

--# Households are counted by their key, with their own weight
--: dataset households
--: grain person
--: label weighted
SELECT COUNT(DISTINCT household_id) AS households FROM members
-->
SELECT SUM(household_weight) FROM base_households

--# Households in which somebody works
--: dataset households
--: grain person
--: label weighted
SELECT COUNT(DISTINCT household_id) FILTER (WHERE wage > 0) AS earning FROM members
-->
SELECT SUM(household_weight) FROM base_households
WHERE household_id IN (SELECT household_id FROM members WHERE wage > 0)

--# Grouped by the key of the household, then the population of households
--: dataset households
--: grain person
--: label weighted
SELECT AVG(size) AS size, COUNT(*) AS households
FROM (SELECT household_id, COUNT(*) AS size FROM members GROUP BY household_id) AS households
-->
SELECT SUM(household_weight * size) / SUM(household_weight), SUM(household_weight)
FROM (SELECT household_id, COUNT(*) AS size FROM members GROUP BY household_id) AS sizes
JOIN base_households USING (household_id)

--# Income of households: each once
--: dataset households
--: grain person
--: label weighted
SELECT SUM(income) AS income
FROM (SELECT household_id, MAX(household_income) AS income FROM members GROUP BY household_id) AS t
-->
SELECT SUM(household_weight * household_income) FROM base_households

--# A household's income summed over its members would count it once for each
--: dataset households
--: refused the column is one of the household, and the rows are finer
SELECT SUM(household_income) FROM members

--# The mean of a household's income over members is one of people: what the household of the average person has
--: dataset households
--: grain person
--: label weighted
SELECT AVG(household_income) AS income FROM members
-->
SELECT SUM(weight * household_income) / SUM(weight) FROM base_members

--# Homes of their own table
--: dataset homes
--: grain person
--: label weighted
SELECT COUNT(*) AS homes, AVG(rooms) AS rooms, SUM(rent) AS rent FROM homes
-->
SELECT SUM(weight), SUM(weight * rooms) / SUM(weight), SUM(weight * rent) FROM base_homes

--# Tenants with something of their home
--: dataset homes
--: grain person
--: label weighted
SELECT h.rooms, COUNT(*) AS tenants, AVG(t.age) AS age
FROM tenants t JOIN homes h ON h.home_id = t.home_id GROUP BY h.rooms
-->
SELECT rooms, SUM(base_tenants.weight), SUM(base_tenants.weight * age) / SUM(base_tenants.weight)
FROM base_tenants JOIN homes USING (home_id) GROUP BY rooms

--# Homes with a child
--: dataset homes
--: grain person
--: label weighted
SELECT COUNT(*) AS homes FROM homes h
WHERE EXISTS (SELECT 1 FROM tenants t WHERE t.home_id = h.home_id AND t.age < 18)
-->
SELECT SUM(weight) FROM base_homes WHERE home_id IN (SELECT home_id FROM tenants WHERE age < 18)

--# Homes by tenants: COUNT(DISTINCT) of the key of the coarser unit weighs homes
--: dataset homes
--: grain person
--: label weighted
SELECT COUNT(DISTINCT t.home_id) AS homes FROM tenants t WHERE t.age >= 40
-->
SELECT SUM(weight) FROM base_homes WHERE home_id IN (SELECT home_id FROM tenants WHERE age >= 40)

--# Tenants per home, for homes
--: dataset homes
--: grain person
--: label weighted
SELECT AVG(tenants) AS tenants
FROM (SELECT home_id, COUNT(*) AS tenants FROM tenants GROUP BY home_id) AS t
-->
SELECT SUM(weight * tenants) / SUM(weight)
FROM (SELECT home_id, COUNT(*) AS tenants FROM tenants GROUP BY home_id) AS t JOIN base_homes USING (home_id)

--# Events of homes
--: dataset homes
--: grain event
--: label weighted
SELECT day, SUM(kwh) AS kwh, COUNT(DISTINCT home_id) AS homes FROM meters GROUP BY day
-->
SELECT day, SUM(weight * kwh), SUM(weight) FROM meters JOIN base_homes USING (home_id) GROUP BY day

--# Rents added up over tenants would count a home once for each of them
--: dataset homes
--: refused the column is one of the household, and the rows are finer
SELECT SUM(h.rent) FROM homes h JOIN tenants t USING (home_id)

--# Tenants and homes in one statement, each with its own weight
--: dataset homes
--: grain person
--: label weighted
SELECT COUNT(*) AS tenants, COUNT(DISTINCT home_id) AS homes FROM tenants
-->
SELECT (SELECT SUM(weight) FROM base_tenants), (SELECT SUM(weight) FROM base_homes WHERE home_id IN (SELECT home_id FROM base_tenants))
