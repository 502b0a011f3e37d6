"""The capture engine: a page in, frames and a file out. Plain Python, nothing of Django.

host = EngineHost(BrowserOptions())
result = host.capture(CaptureSpec(url="https://example.org", format="png"), Path("scratch")).result()
"""
