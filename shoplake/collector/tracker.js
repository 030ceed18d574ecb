// shoplake's tracker: page views, clicks, scrolled quarters. It sends paths, never queries or hashes.
(() => {
	const script = document.currentScript;
	const { key, endpoint } = script.dataset;
	const url = (endpoint || new URL(script.src).origin).replace(/\/$/, "") + "/v1/batch";
	const IDLE = 18e5, GATHER = 2000, MOST_SENT = 40, MOST_KEPT = 200, LONGEST_PAUSE = 6e4; // milliseconds, messages
	const VISIT = "localStorage", QUEUE = "sessionStorage", NAME = "shoplake";

	const stored = (area, value) => {
		try {
			if (value) window[area][NAME] = JSON.stringify(value);
			else if (value === null) delete window[area][NAME];
			else return JSON.parse(window[area][NAME] || null);
		} catch {} // storage may be forbidden: then all lives as long as the page
	};

	if (navigator.globalPrivacyControl || [navigator.doNotTrack, window.doNotTrack].includes("1")) {
		stored(VISIT, null);
		stored(QUEUE, null);
		return;
	}
	if (!key || window.shoplakeTracker) return;
	window.shoplakeTracker = true;

	const isTablet = /^Mac/.test(navigator.platform) && navigator.maxTouchPoints > 1; // an iPad
	const context = { userAgent: navigator.userAgent, device: { type: isTablet ? "Tablet" : undefined } };
	const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");

	let visit;
	const session = (now) => {
		visit = stored(VISIT) || visit; // other tabs belong to it
		if (!visit?.id || now - visit.at > IDLE) visit = { id: newId() };
		visit.at = now;
		stored(VISIT, visit);
		return visit.id;
	};

	// What is not acknowledged outlives the page; by its id, what arrives twice counts once.
	let queue = stored(QUEUE) || [], timer, failures = 0;
	const flying = new Set();
	const plan = (pause) => { timer ||= setTimeout(send, pause); };

	const add = (type, event) => {
		const now = new Date();
		queue.push({
			type, event, messageId: newId(), timestamp: now, userId: script.dataset.user || undefined,
			context: { sessionId: session(+now), page: { path: location.pathname } },
		});
		queue = queue.slice(-MOST_KEPT);
		stored(QUEUE, queue);
		plan(GATHER);
	};

	const send = async () => {
		clearTimeout(timer);
		timer = 0;
		const batch = queue.filter((m) => !flying.has(m)).slice(0, MOST_SENT);
		if (!batch.length) return;
		batch.forEach((m) => flying.add(m));
		let pause = GATHER;
		try {
			const answer = await fetch(url, {
				method: "POST", keepalive: true, credentials: "omit", referrerPolicy: "strict-origin",
				headers: { Authorization: "Bearer " + key, "Content-Type": "application/json" },
				body: JSON.stringify({ batch, context, sentAt: new Date() }),
			});
			if (answer.status === 429 || answer.status > 499) throw answer.headers.get("Retry-After") * 1000;
			queue = queue.filter((m) => !batch.includes(m));
			failures = 0;
		} catch (wait) {
			pause = Math.max(+wait || 0, Math.min(GATHER * 2 ** failures++, LONGEST_PAUSE) * (1 + Math.random()));
		}
		batch.forEach((m) => flying.delete(m));
		stored(QUEUE, queue);
		if (queue.length) plan(pause);
	};

	let path, quarters;
	const view = () => {
		if (path === location.pathname) return;
		path = location.pathname;
		quarters = 0;
		add("page");
	};
	const start = () => {
		const push = history.pushState;
		history.pushState = (...state) => {
			push.apply(history, state);
			view();
		};
		addEventListener("popstate", view);
		addEventListener("click", (event) => event.isTrusted && add("track", "Click"), true);
		addEventListener("scroll", () => {
			const seen = Math.floor((4 * (scrollY + innerHeight + 1)) / document.documentElement.scrollHeight);
			if (seen <= quarters || seen > 4) return;
			quarters = seen;
			add("track", "Scroll");
		}, { passive: true });
		addEventListener("pageshow", (event) => event.persisted && view((path = 0))); // the back button
		addEventListener("pagehide", send);
		document.addEventListener("visibilitychange", () => document.hidden && send());
		view();
	};
	document.prerendering ? document.addEventListener("prerenderingchange", start, { once: true }) : start();
})();
