-- wrk script: one exchange a request. Arguments: FILE (a line: the Authorization header or nothing, a tab, the body),
-- SEED, "check" or "measure", and "any" (a line picked at random each time) or "once" (each line once, in order).

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file, seed, mode, order = args[1], args[2], args[3], args[4]

  lines = {}
  for line in io.lines(file) do
    table.insert(lines, line)
  end
  math.randomseed(tonumber(seed))
  once, next_line, exhausted = order == "once", 0, 0

  -- A few thousand requests are kept whole: putting each together takes from the time of the server that is measured.
  whole = {}

  local template = wrk.format("POST", nil, { ["Content-Type"] = "application/x-www-form-urlencoded" }, "")
  head = template:gsub("Content%-Length: %d+\r\n", ""):match("^(.-)\r\n\r\n")

  -- wrk itself counts only 4xx and 5xx. Looking at every answer is dear, so the warm-up alone does.
  not_2xx = 0
  if mode == "check" then
    response = function(status)
      if status < 200 or status > 299 then not_2xx = not_2xx + 1 end
    end
  end
end

local function put_together(line)
  local tab = line:find("\t", 1, true)
  local authorization = tab > 1 and "\r\nAuthorization: " .. line:sub(1, tab - 1) or ""
  local body = line:sub(tab + 1)
  return head .. authorization .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function request()
  if once then
    next_line = next_line + 1
    if next_line > #lines then
      exhausted = 1
      next_line = 1
    end
    return put_together(lines[next_line])
  end
  local number = math.random(#lines)
  if #lines > 10000 then return put_together(lines[number]) end
  local text = whole[number]
  if not text then
    text = put_together(lines[number])
    whole[number] = text
  end
  return text
end

function done(summary, latency)
  local errors = summary.errors
  local bad, exhausted = errors.status, 0
  for _, thread in ipairs(threads) do
    bad = math.max(bad, thread:get("not_2xx"))
    exhausted = math.max(exhausted, thread:get("exhausted"))
  end
  io.write(string.format(
    '\nRESULT {"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"failures":%d,"exhausted":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    bad + errors.connect + errors.read + errors.write + errors.timeout, exhausted))
end
