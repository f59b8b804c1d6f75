--# no SQL at all
--: sql_invalid
--: does fails
Tell me how many users there are

--# a comment only
--: sql_invalid
--: does nothing
--: because there is no statement
-- nothing

--# semicolons only
--: sql_invalid
--: does nothing
--: because there is no statement
;;

--# an unfinished statement
--: sql_invalid
--: does fails
SELECT * FROM

--# an unfinished string
--: sql_invalid
--: does fails
SELECT 'abc

--# an unfinished comment
--: sql_invalid
--: does fails
SELECT 1 /* abc

--# an unfinished identifier
--: sql_invalid
--: does fails
SELECT "abc

--# MySQL's backquotes
--: sql_invalid
--: does fails
SELECT `name` FROM users

--# SQL Server's TOP
--: sql_invalid
--: does fails
SELECT TOP 5 name FROM users

--# a bad escape
--: sql_invalid
--: does fails
SELECT U&'\zzzz'

--# bytes that are not UTF-8
--: sql_invalid
--: does fails
SELECT E'\xff\xfe'

--# unbalanced brackets
--: sql_invalid
--: does fails
SELECT count(* FROM users
