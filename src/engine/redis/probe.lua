#!lua
-- Writes nothing, and is refused where a script that writes would be.
--
-- KEYS: any key of the server in question
return 1
