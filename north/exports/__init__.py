"""What was written, as a file to take along: Markdown, Word, Excel, PDF. Knows no row and no page: a Paper goes in, bytes come out.

The libraries that write those files are loaded in a process of their own (`making.py`), so that no web process carries them about.
"""
