"""What `clusterlab new` makes: the files of a lab with its job, and of a class, which pass `clusterlab check` as made.

Their comments say what each key is in the words of the rule or of the schema that checks it, so that there is one place
to mend. Either all files of a lab are written or none, and nothing that is there is touched.
"""
