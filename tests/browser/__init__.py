"""The pages of costs and of a class's status in a real Chromium: `make test-browser`.

In light, dark, on a phone and on paper, by keyboard and by axe; `CLUSTERLAB_PICTURES=FOLDER` keeps the screenshots.
"""
