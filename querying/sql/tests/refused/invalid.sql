--# no SQL at all
--: sql_invalid
Tell me how many users there are

--# a comment only
--: sql_invalid
-- nothing

--# semicolons only
--: sql_invalid
;;

--# an unfinished statement
--: sql_invalid
SELECT * FROM

--# an unfinished string
--: sql_invalid
SELECT 'abc

--# an unfinished comment
--: sql_invalid
SELECT 1 /* abc

--# an unfinished identifier
--: sql_invalid
SELECT "abc

--# MySQL's backquotes
--: sql_invalid
SELECT `name` FROM users

--# SQL Server's TOP
--: sql_invalid
SELECT TOP 5 name FROM users

--# a bad escape
--: sql_invalid
SELECT U&'\zzzz'

--# bytes that are not UTF-8
--: sql_invalid
SELECT E'\xff\xfe'

--# unbalanced brackets
--: sql_invalid
SELECT count(* FROM users
