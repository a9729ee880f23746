-- Each visit as the sessionizer remembers it (analytics/pipeline/visit.py).
SELECT
    site,
    visitor,
    session,
    any_value(bot IS NOT NULL),
    any_value(session_start),
    coalesce(min(ts) FILTER (opens > 0 OR gap_ms > 0), any_value(session_start)),
    coalesce(max(ts) FILTER (opens > 0 OR gap_ms > 0), any_value(session_start)),
    max(received_at),
    max(log_offset),
    count(*) FILTER (name = 'pageview'),
    sum(engages) > 0,
    coalesce(max(ts) FILTER (name = 'pageview'), -1),
    arg_max(path, (ts, log_offset)) FILTER (name = 'pageview'),
    arg_max(hostname, (ts, log_offset)) FILTER (name = 'pageview'),
    {entry}
FROM rows
WHERE received_at >= $began AND session <> 0 AND session IN (
    SELECT session FROM rows WHERE received_at >= $since AND {condition})
GROUP BY site, visitor, session
ORDER BY max(log_offset)
