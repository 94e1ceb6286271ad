---- MODULE MCSharedObject ----
EXTENDS SharedObject
====
