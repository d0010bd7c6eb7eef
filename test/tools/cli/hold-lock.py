"""Holds the lock of a trust store as Python's filelock does, and adds an entry meanwhile; ends when its input ends."""
import fcntl
import json
import os
import sys

file = sys.argv[1]
lock = os.open(file + ".lock", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
fcntl.flock(lock, fcntl.LOCK_EX)
store = json.load(open(file))
print("held", flush=True)
sys.stdin.read()
store["https://added-by-python:443"] = "-"
temp = open(file + ".temp", "w")
json.dump(store, temp, indent=4, sort_keys=True)
temp.close()
os.rename(file + ".temp", file)
