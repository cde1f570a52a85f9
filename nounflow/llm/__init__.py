"""Asking a language model without losing an answer or a cent.

`client.open_client` gives a client that sends requests one by one (`chat`) or in batches (`batch`), `ledger.Ledger`
remembers each sending and each raw answer, `budget.Budget` stops before money runs out, `limiter.Limiter` keeps to
calls and tokens a minute, and `estimate.estimate` says beforehand what a run would cost. No module here knows what the
requests are about.
"""
