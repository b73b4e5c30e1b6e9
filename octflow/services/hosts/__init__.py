"""Jobs on other hosts by SSH, over a shared file system: what profiles/zircon-ssh calls."""
