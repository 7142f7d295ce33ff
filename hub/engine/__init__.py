"""The transactional engine: one loop for every stage that reads a topic and writes topics.

Read `task` for what a stage is, then `loop` for what happens to it.
"""
