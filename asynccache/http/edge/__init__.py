"""`CacheMiddleware`: what stands before an app, and answers for it what it has stored of its answers."""
