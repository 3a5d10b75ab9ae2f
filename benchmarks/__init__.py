"""Speed, measured side by side with peers and limits in one run: `python3 noxfile.py bench`.

Each module has `run()`, which returns a `Table` or several. Absolute times depend on the machine; ratios are what
counts.
"""
