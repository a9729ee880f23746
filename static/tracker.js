/**
 * The tracker: reports page views, and what visitors do on a page, without losing any of it.
 *
 *   <script defer data-domain="example.com" src="https://analytics.example.com/tracker.js"></script>
 *
 * Every event lies in an outbox (localStorage) until the server has answered for it, and is sent
 * again under the same id when it has not; the server counts each id once. docs/tracker.md lists
 * the options. `npm run build` makes tracker.min.js, which is what is served.
 *
 * Pages and their libraries replace built-ins: what is used here is what they leave alone.
 */
;(function () {
  const { document, location, navigator } = window

  const COOKIE = '_va'
  const THIRTEEN_MONTHS_S = 395 * 86400
  const OUTBOX_EVENTS = 100
  const OUTBOX_MS = 3 * 86400e3
  const FIRST_PAUSE_MS = 1000
  const LONGEST_PAUSE_MS = 300e3
  const PROPS = 30
  const TEXT_LENGTH = 3000
  const KEEPALIVE_LENGTH = 20e3 // at three bytes a character, below the 64 KiB that browsers allow
  const ENGAGED_MS = 3000
  const REPORT_MS = 300e3
  const TITLE_DELAY_MS = 100
  const LOOK_MS = 500
  const DOWNLOADS =
    /\.(pdf|(doc|xls|ppt)x?|od[tsp]|csv|txt|rtf|epub|zip|t?gz|7z|rar|dmg|pkg|exe|msi|apk|deb|rpm|iso|mp[34]|wav|mov|avi)$/i

  /** Whatever goes wrong in here must not reach the page. */
  const safe = (work) => (...given) => {
    try {
      return work(...given)
    } catch (error) {}
  }
  const listen = (type, handler, target = window) => target.addEventListener(type, safe(handler), true)

  // A module script has no `currentScript`; its address is in the stack.
  const script =
    document.currentScript ||
    [...document.scripts].find(({ src }) => src && String(Error().stack).includes(src)) ||
    {}
  const has = (option) => script.hasAttribute('data-' + option)
  const { domain, api } = script.dataset || {}
  const server = /^https?:..[^/]+/.exec(script.src)
  const endpoint = api || (server && server + '/api/event')
  const prefix = COOKIE + ' ' + endpoint + ' '

  // ── Names ────────────────────────────────────────────────────────────────────────────────

  const random = (length) =>
    [...crypto.getRandomValues(new Uint8Array(length))].map((byte) => (byte & 15).toString(16)).join('')

  /** A UUIDv7, as digits alone: ids sort by time, so the outbox is in order. */
  const uuid = (ms) => `0${ms.toString(16)}7${random(3)}a${random(15)}`

  /** The visitor's id: the cookie's, which is made if it is not there; undefined if it may not be. */
  function visitor() {
    if (has('cookieless')) return
    const read = () => (/(^| )_va=([\w-]{1,64})(;|$)/.exec(document.cookie) || [])[2]
    const cookie = `${COOKIE}=${random(22)};path=/;max-age=${THIRTEEN_MONTHS_S};samesite=lax${/^https/.test(location) ? ';secure' : ''}`
    // The widest domain that the browser accepts: it refuses those that many sites share. An
    // address is in no domain, though some browsers accept the end of it as one.
    const labels = location.hostname.split('.')
    for (let i = labels[3] > -1 ? 0 : labels.length; !read() && i > -1; i--) {
      document.cookie = cookie + (i ? ';domain=' + labels.slice(i - 1).join('.') : '')
    }
    return read()
  }

  /**
   * JSON, bounded to what the server keeps. Pages replace `JSON.stringify`, and old libraries give
   * text and arrays a `toJSON` that spoils it.
   */
  const encode = (value, depth) =>
    value && value.trim
      ? `"${value
          .slice(0, TEXT_LENGTH)
          .replace(/[\0-\x1f]/g, ' ')
          .replace(/["\\]/g, '\\$&')}"`
      : depth && value === Object(value)
        ? `{${Object.keys(value)
            .slice(0, PROPS)
            .map((key) => encode(key) + ':' + encode(value[key], depth - 1))}}`
        : value === !!value || Number.isFinite(value)
          ? value
          : null

  // ── The outbox ───────────────────────────────────────────────────────────────────────────
  // One key for each event, so that two tabs never overwrite each other. With `data-cookieless`,
  // and where there is no storage, it lasts as long as the page.

  let box = {}
  let sending
  let gone
  let pause = FIRST_PAUSE_MS
  let retry
  const own = {} // when this page made each of its events; 1 from the first try on

  function waiting() {
    const keys = Object.keys(box).filter((key) => key.startsWith(prefix)).sort()
    const tooOld = prefix + uuid(Date.now() - OUTBOX_MS)
    while (keys[OUTBOX_EVENTS] || keys[0] < tooOld) delete box[keys.shift()]
    return keys
  }

  /** The body to send. Sent at once, the server's clock dates it best; later, only ours knows. */
  function take(key) {
    const made = own[key]
    own[key] = made && 1
    return Date.now() - made < 1000 ? box[key].replace(/,"ts":\d+}$/, '}') : box[key]
  }

  /** Send a body unheard: what a page that ends, or a browser that quits, still gets done. */
  const beacon = safe((body) => navigator.sendBeacon(endpoint, body))

  /**
   * Send what waits, oldest first. When one fails, the newest tells whether the server is away. If
   * so, wait, twice as long as last time; else that one is at fault, and must not stop the others.
   */
  async function send() {
    if (sending) return
    let skipped = 0
    let heard, keys
    sending = true
    while (!gone && (keys = waiting())[skipped]) {
      const key = keys[skipped && !heard ? keys.length - 1 : skipped]
      const body = take(key)
      let status
      try {
        const answer = await fetch(endpoint, {
          method: 'POST',
          body,
          keepalive: body.length < KEEPALIVE_LENGTH,
        })
        status = answer.status
      } catch (error) {
        beacon(body) // the server is away, or the page has spoilt `fetch`
      }
      if (/^(?!408|429)[1-4]/.test(status)) {
        heard = true
        delete box[key]
      } else if (skipped++ && !heard) break
    }
    sending = false
    clearTimeout(retry)
    if (heard) pause = FIRST_PAUSE_MS
    if (skipped) {
      retry = setTimeout(send, pause * (0.5 + Math.random()))
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    }
  }

  // ── Events ───────────────────────────────────────────────────────────────────────────────

  let url
  let path
  let referrer
  let title
  let pending
  let latest = 0

  function record(name, fields) {
    if (pending) view()
    latest = Math.max(Date.now(), latest + 1)
    const id = uuid(latest)
    const key = prefix + id
    const body = encode(
      {
        n: name,
        u: url,
        d: domain || location.hostname,
        r: referrer,
        t: title,
        l: navigator.language,
        s: screen.width + 'x' + screen.height,
        dnt: has('dnt'), // some browsers tell the server alone
        h: has('hash'),
        q: has('link-query'),
        vid: safe(visitor)(),
        id,
        ...fields,
        ts: latest, // the last one: `take` cuts it off
      },
      2,
    )
    own[key] = latest
    try {
      box[key] = body
    } catch (error) {
      box = { [key]: body }
    }
    send()
  }

  function track(name, choices) {
    const { props, revenue, interactive } = choices || {}
    navigated()
    record(name, { p: props, $: revenue, i: interactive })
  }

  const fragment = () => (has('hash') ? location.hash : '')
  const currentPath = () => location.pathname + fragment().split(/[?&=]/)[0]

  function enter(from) {
    url = location.href.split('#')[0] + fragment()
    path = currentPath()
    referrer = from
    reach = height = engaged = 0
    reported = -1
  }

  /** The page is seen: for the first time, or again from the browser's cache. */
  function arrive() {
    sending = gone = false
    enter(document.referrer)
    view()
    attend()
  }

  function view() {
    pending = clearTimeout(pending)
    title = document.title
    record('pageview')
  }

  /** The address changed without a load; the title mostly follows a moment later. */
  function navigated() {
    gone = false
    if (currentPath() === path) return
    leave()
    enter(url)
    pending = setTimeout(safe(view), TITLE_DELAY_MS)
  }

  // ── Engagement: how far the page was scrolled, how long it was visible and focused ─────────

  let reach
  let height
  let reported
  let engaged
  let since

  /** Of the page; or, when it does not scroll, of what fills it and does. */
  function measure() {
    const root = document.scrollingElement || document.documentElement
    const { clientHeight } = root
    const scrolls = (element) =>
      element.scrollHeight > element.clientHeight &&
      element.clientHeight * 2 > clientHeight &&
      /o/.test(getComputedStyle(element).overflowY) // auto, scroll
    const area =
      (root.scrollHeight <= clientHeight &&
        document.elementsFromPoint(root.clientWidth / 2, clientHeight / 2).find(scrolls)) ||
      root
    reach = Math.max(reach, area.scrollTop + area.clientHeight)
    height = area.scrollHeight
  }

  function attend() {
    const now = performance.now()
    if (since) engaged += now - since
    since = !document.hidden && document.hasFocus() ? now : 0
  }

  function leave() {
    measure()
    attend()
    const depth = Math.min(100, Math.round((100 * reach) / height))
    if (depth <= reported && engaged < ENGAGED_MS) return
    record('engagement', { sd: depth, e: engaged })
    reported = depth
    engaged = 0
  }

  /**
   * The page may never run again: what has no answer yet is sent at once. Firefox drops at times
   * what `pagehide` sends while the browser closes, but waits for the handlers of `beforeunload`.
   * After those the page may go on, for a download or where a visitor stays: `navigated` tells.
   */
  function hide() {
    navigated()
    gone = true
    leave()
    waiting().forEach((key) => (own[key] = own[key] && !beacon(take(key))))
  }

  // ── What visitors do ─────────────────────────────────────────────────────────────────────

  /** `data-analytics-event="Signup" data-analytics-event-plan="pro"` → Signup {plan: "pro"} */
  function trackTagged({ attributes, dataset }) {
    const props = {}
    for (const { name, value } of attributes) {
      const key = name.split('data-analytics-event-')[1]
      if (key) props[key] = value
    }
    track(dataset.analyticsEvent, { props })
  }

  function clicked(event) {
    if (event.button > 1) return
    const path = event.composedPath()
    const closest = (selector) => path.find((element) => element.matches && element.matches(selector))
    const element = closest('[data-analytics-event]:not(form)')
    if (element) return trackTagged(element)
    const link = closest('a,area')
    // The `href` of a link in a drawing is an object. Query strings may be secrets: signed links.
    const target = document.createElement('a')
    target.href = link.href.baseVal || link.href
    const address = target.origin + target.pathname
    const props = { url: has('link-query') ? address + target.search : address }
    if (!/^h/.test(target)) return // neither mailto: nor tel:
    if (DOWNLOADS.test(address) || link.hasAttribute('download')) track('File Download', { props })
    else if (target.host !== location.host) track('Outbound Link: Click', { props })
  }

  function submitted({ target }) {
    if (target.dataset.analyticsEvent) trackTagged(target)
    else track('Form: Submission', { props: { path: location.pathname } })
  }

  // ── Start ────────────────────────────────────────────────────────────────────────────────

  /** What the tag lacks for this page to be counted. */
  function lacking() {
    const unless = (option) => !has(option) && 'data-' + option
    const local = /^($|127\.|\[::1|(.+\.)?localhost$)/.test(location.hostname)
    const automated = navigator.webdriver || window.Cypress
    return !endpoint ? 'src' : (local && unless('allow-local')) || (automated && unless('allow-automation'))
  }

  const unwilling = () =>
    (has('dnt') && (navigator.doNotTrack > 0 || navigator.globalPrivacyControl)) ||
    localStorage.analytics_ignore === 'true'

  let queue

  function start() {
    if (!has('cookieless')) box = safe(() => localStorage)() || box
    arrive()
    queue.forEach((given) => safe(track)(...given))

    listen('pageshow', ({ persisted }) => persisted && arrive())
    listen('beforeunload', hide)
    listen('pagehide', hide)
    listen('visibilitychange', leave)
    listen('focus', attend)
    listen('blur', attend)
    listen('online', send)
    listen('scroll', measure)
    listen('click', clicked)
    listen('auxclick', clicked)
    listen('submit', submitted)
    setInterval(safe(leave), REPORT_MS)
    // Browsers without the Navigation API tell of no `pushState`, least of one kept from before.
    setInterval(safe(navigated), LOOK_MS)
    listen('currententrychange', navigated, window.navigation)
  }

  safe(() => {
    if (window[COOKIE] === 1) return // a second tag on the page
    window[COOKIE] = 1
    // `window.analytics` is ours, unless another product of that name has it.
    const before = window.analytics || {}
    queue = before.q || []
    if (!before.track) window.analytics = safe((...given) => (url ? track(...given) : queue.push(given)))
    const lack = lacking()
    if (lack) console.warn('Analytics off: no ' + lack)
    else if (safe(unwilling)()) return
    else if (document.prerendering) listen('prerenderingchange', start)
    else start()
  })()
})()
