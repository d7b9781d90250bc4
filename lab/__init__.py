"""The lab's own programs: the tool that makes it (`lab/lab`) and the demo that shows the whole road on it (`lab.demo`)."""
