-- wrk script: the same request each time. Arguments: FILE (lines "name: value" of headers, an empty line, the
-- body), and "check" or "measure".

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local lines, headers, body = io.lines(args[1]), {}, {}
  for line in lines do
    if line == "" then break end
    local name, value = line:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  for line in lines do
    table.insert(body, line)
  end
  whole = wrk.format("POST", nil, headers, table.concat(body, "\n"))

  -- wrk itself counts only 4xx and 5xx. Looking at every answer is dear, so the warm-up alone does.
  not_2xx = 0
  if args[2] == "check" then
    response = function(status)
      if status < 200 or status > 299 then not_2xx = not_2xx + 1 end
    end
  end
end

function request()
  return whole
end

function done(summary, latency)
  local errors, bad = summary.errors, summary.errors.status
  for _, thread in ipairs(threads) do
    bad = math.max(bad, thread:get("not_2xx"))
  end
  io.write(string.format(
    '\nRESULT {"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"failures":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    bad + errors.connect + errors.read + errors.write + errors.timeout))
end
