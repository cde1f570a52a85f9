"""Asking a language model without losing an answer or a cent.

`client.LLMClient` sends requests, `ledger.Ledger` remembers each sending and each raw answer, `budget.Budget` stops
before money runs out, and `estimate.estimate` says beforehand what a run would cost. No module here knows what the
requests are about.
"""
