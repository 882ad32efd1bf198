"""Cloud Storage on one machine: the JSON API that the unmodified google-cloud-storage client speaks.

Exact where products lean on it (generations, preconditions, resumable uploads, checksums, paging, notifications), and
strict elsewhere: a route, parameter or field it does not have is refused by name, never ignored. Object bytes stay on disk
and pass through memory in blocks.

Reference: https://cloud.google.com/storage/docs/json_api/v1
"""
