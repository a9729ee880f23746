/**
 * The tracker: reports page views, and what visitors do on a page, without losing any of it.
 *
 *   <script defer data-domain="example.com" src="https://analytics.example.com/tracker.js"></script>
 *
 * Every event lies in an outbox (localStorage) until the server has answered for it, and is sent
 * again under the same id when it has not; the server counts each id once. docs/tracker.md lists
 * the options. `npm run build` makes tracker.min.js, which is what is served.
 */
;(function () {
  'use strict'

  const VERSION = 1
  const COOKIE = '_va'
  const THIRTEEN_MONTHS_S = 395 * 86400
  const OUTBOX_EVENTS = 100
  const OUTBOX_MS = 3 * 86400e3
  const FIRST_PAUSE_MS = 1000
  const LONGEST_PAUSE_MS = 300e3
  const PATIENCE_MS = 20e3
  const ENGAGED_MS = 3000
  const TITLE_DELAY_MS = 100
  const DOWNLOADS =
    /\.(pdf|docx?|xlsx?|pptx?|od[tsp]|csv|txt|rtf|epub|zip|gz|tgz|7z|rar|dmg|pkg|exe|msi|apk|deb|rpm|iso|mp3|wav|mp4|mov|avi)$/i
  // 64 symbols, of which the first 16 are the hexadecimal digits.
  const SYMBOLS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-'

  const script = document.currentScript || document.querySelector('script[data-domain]') || {}
  const options = script.dataset || {}
  const endpoint = options.api || (script.src || '').replace(/^(\w+:\/\/[^/]+).*/, '$1/api/event')
  const cookieless = 'cookieless' in options
  const prefix = COOKIE + ' ' + endpoint + ' '

  /** Whatever goes wrong in here must not reach the page. */
  const safe = (work) =>
    function () {
      try {
        return work.apply(this, arguments)
      } catch (error) {}
    }
  const listen = (target, types, handler, capture) =>
    types.split(' ').forEach((type) => target.addEventListener(type, safe(handler), capture))

  // ── Names ────────────────────────────────────────────────────────────────────────────────

  const random = (length, radix) =>
    Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => SYMBOLS[byte % radix]).join('')

  /** A UUIDv7: ids sort by time, so the outbox is in order. */
  const uuid = (ms) => {
    const time = ms.toString(16).padStart(12, '0')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${random(3, 16)}-a${random(3, 16)}-${random(12, 16)}`
  }

  /** The visitor's id: the cookie's, which is made if it is not there; undefined if it may not be. */
  function visitor() {
    if (cookieless) return
    const read = () => (document.cookie.match('(?:^|; )' + COOKIE + '=([\\w-]{1,64})(?:;|$)') || [])[1]
    const attributes = `=${random(22, 64)};path=/;max-age=${THIRTEEN_MONTHS_S};samesite=lax${
      location.protocol === 'https:' ? ';secure' : ''
    }`
    // The widest domain that the browser accepts: it refuses those that many sites share.
    const labels = location.hostname.split('.')
    for (let i = labels.length; !read() && i--; ) {
      document.cookie = COOKIE + attributes + ';domain=' + labels.slice(i).join('.')
    }
    if (!read()) document.cookie = COOKIE + attributes
    return read()
  }

  // ── The outbox ───────────────────────────────────────────────────────────────────────────
  // One key for each event, so that two tabs never overwrite each other. With `data-cookieless`,
  // and where there is no storage, it lasts as long as the page.

  let box = {}
  let sending = Promise.resolve()
  let pause = FIRST_PAUSE_MS
  let retry
  const inFlight = {}
  const own = {} // the events of this page: true until the first try

  function waiting() {
    const keys = Object.keys(box).filter((key) => key.startsWith(prefix)).sort()
    const tooOld = prefix + uuid(Date.now() - OUTBOX_MS)
    while (keys.length > OUTBOX_EVENTS || keys[0] < tooOld) delete box[keys.shift()]
    return keys
  }

  /** Send one event; true when it needs no more sending. */
  async function post(key, leaving) {
    let done = false
    inFlight[key] = true
    try {
      const event = JSON.parse(box[key])
      // Sent at once, the server's clock dates it best; sent late, only ours knows when it was.
      if (own[key] && Date.now() - event.ts < 1000) delete event.ts
      own[key] = false
      const body = JSON.stringify(event)
      if (leaving && !('keepalive' in Request.prototype)) {
        navigator.sendBeacon(endpoint, body)
      } else {
        const patience = AbortSignal.timeout && AbortSignal.timeout(PATIENCE_MS)
        const { status } = await fetch(endpoint, { method: 'POST', body, keepalive: true, signal: patience })
        done = status < 500 && status !== 408 && status !== 429
      }
    } catch (error) {
      done = error instanceof SyntaxError
    }
    delete inFlight[key]
    if (done) delete box[key]
    return done
  }

  /** Send what waits, oldest first; at the first failure, wait twice as long as last time. */
  async function drain() {
    for (let key; !retry && (key = waiting().find((key) => !inFlight[key])); ) {
      if (await post(key)) {
        pause = FIRST_PAUSE_MS
      } else {
        retry = setTimeout(resume, pause * (0.5 + Math.random()))
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
      }
    }
  }

  /** One tab drains at a time; where there are no locks to be had, the ids keep doubles out. */
  function send() {
    sending = sending
      .then(() => navigator.locks.request(prefix, drain))
      .catch(drain)
      .catch(() => {})
  }

  function resume() {
    retry = clearTimeout(retry)
    send()
  }

  // ── Events ───────────────────────────────────────────────────────────────────────────────

  let page
  let pending
  let latest = 0

  function record(name, fields) {
    if (pending) view()
    latest = Math.max(Date.now(), latest + 1)
    const id = uuid(latest)
    const key = prefix + id
    const body = JSON.stringify({
      n: name,
      u: page.url,
      d: options.domain || location.hostname.replace(/^www\./, ''),
      r: page.referrer,
      t: page.title,
      l: navigator.language,
      s: screen.width + 'x' + screen.height,
      h: 'hash' in options ? 1 : undefined,
      v: VERSION,
      vid: safe(visitor)(),
      id,
      ts: latest,
      ...fields,
    })
    try {
      box[key] = body
    } catch (error) {
      box = { [key]: body }
    }
    own[key] = true
    send()
  }

  function track(name, choices) {
    const { props, revenue, interactive } = choices || {}
    record(name, { p: props, $: revenue, i: interactive })
  }

  function enter(referrer) {
    page = { url: location.href, path: location.pathname, referrer }
    if ('hash' in options) page.path += location.hash
    else page.url = page.url.split('#')[0]
    reach = height = engaged = 0
    reported = -1
  }

  function view() {
    pending = clearTimeout(pending)
    page.title = document.title
    record('pageview')
  }

  /** The address changed without a load; the title mostly follows a moment later. */
  function navigated() {
    const before = page
    if (pending) view()
    const path = location.pathname + ('hash' in options ? location.hash : '')
    if (path === before.path) return
    leave()
    enter(before.url)
    pending = setTimeout(safe(view), TITLE_DELAY_MS)
  }

  // ── Engagement: how far the page was scrolled, how long it was visible and focused ─────────

  let reach
  let height
  let reported
  let engaged
  let since

  function measure() {
    reach = Math.max(reach, window.scrollY + window.innerHeight)
    height = document.documentElement.scrollHeight
  }

  function attend() {
    const now = performance.now()
    if (since) engaged += now - since
    since = !document.hidden && document.hasFocus() ? now : 0
  }

  function leave() {
    attend()
    const depth = height && Math.min(100, Math.round((100 * reach) / height))
    if (depth <= reported && engaged < ENGAGED_MS) return
    record('engagement', { sd: depth, e: Math.round(engaged) })
    reported = depth
    engaged = 0
  }

  /** The page may never run again: send what this page recorded, without waiting for a turn. */
  function hide() {
    measure()
    leave()
    waiting().forEach((key) => key in own && !inFlight[key] && post(key, true))
  }

  // ── What visitors do ─────────────────────────────────────────────────────────────────────

  const tagged = (element) => element.dataset && element.dataset.analyticsEvent

  /** `data-analytics-event="Signup" data-analytics-event-plan="pro"` → Signup {plan: "pro"} */
  function trackTagged(element) {
    const props = {}
    for (const { name, value } of element.attributes) {
      const key = name.split('data-analytics-event-')[1]
      if (key) props[key] = value
    }
    track(tagged(element), { props })
  }

  function clicked(event) {
    if (event.button > 1) return
    const path = event.composedPath()
    const element = path.find((element) => tagged(element) && element.tagName !== 'FORM')
    const link = path.find((element) => element.tagName === 'A' && element.href)
    const props = link && { url: link.href }
    if (element) trackTagged(element)
    else if (!link || !/^http/.test(link.protocol)) return
    else if (DOWNLOADS.test(link.pathname) || link.hasAttribute('download')) track('File Download', { props })
    else if (link.host !== location.host) track('Outbound Link: Click', { props })
  }

  function submitted(event) {
    if (tagged(event.target)) trackTagged(event.target)
    else track('Form: Submission', { props: { path: location.pathname } })
  }

  // ── Start ────────────────────────────────────────────────────────────────────────────────

  function refused() {
    const local = /^$|^localhost$|\.localhost$|^127\.|^\[::1\]$/.test(location.hostname)
    const automated = navigator.webdriver || window._phantom || window.__nightmare || window.Cypress
    const unwilling = navigator.doNotTrack === '1' || navigator.globalPrivacyControl
    return (
      (local && !('allowLocal' in options)) ||
      (automated && !('allowAutomation' in options)) ||
      (unwilling && 'dnt' in options) ||
      safe(() => localStorage.analytics_ignore === 'true')()
    )
  }

  function start() {
    const queue = window.analytics.q || []
    const call = safe(track)
    expose(call)
    if (!cookieless) box = safe(() => localStorage)() || box

    enter(document.referrer)
    attend()
    view()
    queue.forEach((given) => call(...given))

    listen(window, 'popstate hashchange', navigated)
    listen(window, 'pageshow', (event) => event.persisted && (enter(document.referrer), view()))
    listen(window, 'pagehide', hide)
    listen(document, 'visibilitychange', () => (document.hidden ? hide() : (attend(), send())))
    listen(window, 'focus blur', attend)
    listen(window, 'online', resume)
    listen(window, 'scroll', measure, { passive: true })
    listen(document, 'click auxclick', clicked, true)
    listen(document, 'submit', submitted, true)
    for (const name of ['pushState', 'replaceState']) {
      const original = history[name]
      history[name] = function () {
        safe(measure)()
        const result = original.apply(this, arguments)
        safe(navigated)()
        return result
      }
    }
  }

  /** `window.analytics` is ours, unless another product of that name has it. */
  function expose(call) {
    if (!window.analytics || !window.analytics.track) window.analytics = call
  }

  safe(() => {
    if (window[COOKIE]) return // a second tag on the page
    window[COOKIE] = true
    if (refused()) return expose(() => {})
    if (!window.analytics) {
      expose(function () {
        ;(window.analytics.q = window.analytics.q || []).push(arguments)
      })
    }
    if (document.prerendering) listen(document, 'prerenderingchange', start)
    else start()
  })()
})()
