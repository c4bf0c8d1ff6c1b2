-- wrk script: one exchange a request, each with a credential picked at random.
-- Arguments: FILE (one base64 "client_id:client_secret" a line), BODY, SEED, "check" or "measure".

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file, body, seed, mode = args[1], args[2], args[3], args[4]

  credentials = {}
  for line in io.lines(file) do
    table.insert(credentials, line)
  end
  math.randomseed(tonumber(seed))

  local template = wrk.format("POST", nil, {
    ["Authorization"] = "Basic @",
    ["Content-Type"] = "application/x-www-form-urlencoded",
  }, body)
  head, tail = template:match("^(.-)@(.*)$")

  -- wrk itself counts only 4xx and 5xx. Looking at every answer is dear, so the warm-up alone does.
  not_2xx = 0
  if mode == "check" then
    response = function(status)
      if status < 200 or status > 299 then not_2xx = not_2xx + 1 end
    end
  end
end

function request()
  return head .. credentials[math.random(#credentials)] .. tail
end

function done(summary, latency)
  local errors = summary.errors
  local bad = errors.status
  for _, thread in ipairs(threads) do
    bad = math.max(bad, thread:get("not_2xx"))
  end
  io.write(string.format(
    '\nRESULT {"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"failures":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    bad + errors.connect + errors.read + errors.write + errors.timeout))
end
