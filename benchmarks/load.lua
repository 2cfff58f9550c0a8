-- Script for wrk: sends the requests of a file in order, repeatedly, and prints the result as one line of JSON.
-- A line of the file is a request: method, path and body, separated by tabs. Arguments: the file, then headers.

local requests, at = {}, 0

function init(arguments)
  for i = 2, #arguments do
    local name, value = arguments[i]:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+)\t(%S+)\t(.*)$")
    requests[#requests + 1] = wrk.format(method, path, nil, body ~= "" and body or nil)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format('RESULT {"requests": %d, "microseconds": %d, "median": %.0f, "p95": %.0f, "refused": %d, "lost": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
