-- One event a request, as our tracker sends it: 500 pages, 20,000 visitors, three browsers.
local agents = {
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
}
local headers = {}
for i, agent in ipairs(agents) do
  headers[i] = {
    ["content-type"] = "text/plain",
    ["user-agent"] = agent,
    ["accept"] = "*/*",
    ["accept-language"] = "en-GB,en;q=0.9",
    ["accept-encoding"] = "gzip, deflate, br",
    ["origin"] = "https://bench.example",
    ["referer"] = "https://bench.example/",
  }
end
local n = 0
local run = os.time() % 65536  -- so that no two runs send the same ids
request = function()
  n = n + 1
  local body = string.format(
    '{"n":"pageview","u":"https://bench.example/blog/post-%d","d":"bench.example",'
      .. '"r":"https://www.google.com/","id":"019a0000-%04x-7000-8000-%012x",'
      .. '"vid":"v%d","t":"A post","l":"en-gb","s":"1920x1080"}',
    n % 500, run, n, n % 20000)
  return wrk.format("POST", "/api/event", headers[n % 3 + 1], body)
end
