"""Pages made from labs: one for each lab, in English and Spanish, and the page of results.

`lab.py` makes a lab's page from its file, its sidecar, its plan and its reproductions, in the language of `words.py`.
`results.py` is the page of all labs' results, `docs/results.md`. The site in `docs/site/` shows them.
"""
