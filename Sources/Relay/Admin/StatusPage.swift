// The page that an operator opens: `/status`. One file without anything from elsewhere; its script
// (`+Script`) asks `/status.json` every two seconds and works the rates out.

/// The page, made once.
enum StatusPage {
    static let bytes = Array(
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>postscale-relay</title>
        <style>\(style)</style>
        </head>
        <body>\(markup)<script>\(script)</script>
        </body>
        </html>

        """.utf8)

    private static let markup = #"""

        <header>
          <h1 id="host">postscale-relay</h1>
          <span id="state" class="state">asking…</span>
          <span id="about"></span>
        </header>
        <p id="trouble" role="status" hidden></p>
        <main>
          <section id="tiles" aria-label="At a glance"></section>
          <section class="wide">
            <h2>Messages a second</h2>
            <svg id="rates" viewBox="0 0 600 120" preserveAspectRatio="none" role="img"
              aria-label="Messages a second over the last five minutes"></svg>
            <p class="key"><i class="good"></i>accepted <i class="bad"></i>anything else
              <span id="scale"></span></p>
          </section>
          <section><h2>Times <small id="since"></small></h2><table id="times"></table></section>
          <section><h2>Outcomes</h2><table id="outcomes"></table></section>
          <section><h2>Replies</h2><table id="replies"></table></section>
          <section class="wide"><h2>API</h2><table id="api"></table><p id="calls"></p></section>
          <section class="wide"><h2>Listeners</h2><table id="listeners"></table></section>
          <section class="wide"><h2>Loops</h2><table id="loops"></table></section>
          <section><h2>Logins</h2><table id="logins"></table></section>
          <section><h2>Certificate and machine</h2><table id="machine"></table></section>
          <section><h2>Lost on the way</h2><table id="losses"></table></section>
        </main>
        <footer>Refreshes every two seconds.
          <a href="/debug/sessions">Sessions</a> <a href="/metrics">Metrics</a>
          <a href="/status.json">JSON</a></footer>

        """#

    private static let style = #"""

        :root { color-scheme: light dark; --paper: #f6f7f9; --card: #fff; --ink: #1b2330;
          --soft: #5b6675; --line: #e1e5ea; --good: #16794c; --bad: #b3261e; --warn: #8a5a00;
          --fill: #16794c22; }
        @media (prefers-color-scheme: dark) {
          :root { --paper: #12161c; --card: #1a2029; --ink: #e6eaf0; --soft: #98a3b3;
            --line: #2b333f; --good: #4fc38a; --bad: #ff8a80; --warn: #f0b84c; --fill: #4fc38a22; }
        }
        * { box-sizing: border-box; }
        body { margin: 0; padding: 1.25rem clamp(1rem, 3vw, 2.5rem); background: var(--paper);
          color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
        header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .4rem 1rem; }
        h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; }
        h2 { font-size: .95rem; margin: 0 0 .5rem; }
        small, #about, footer, .key, #calls { color: var(--soft); font-size: .87rem;
          font-weight: 400; }
        .state { padding: .1rem .6rem; border-radius: 1rem; border: 1px solid currentColor;
          font-size: .87rem; }
        .good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
        #trouble { border: 1px solid var(--bad); color: var(--bad); border-radius: .5rem;
          padding: .5rem .75rem; }
        main { display: grid; gap: 1rem; margin: 1rem 0;
          grid-template-columns: repeat(auto-fit, minmax(min(22.5rem, 100%), 1fr)); }
        section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
          padding: .9rem 1rem; min-width: 0; overflow-x: auto; }
        .wide, #tiles { grid-column: 1 / -1; }
        #tiles { display: grid; gap: 1rem; background: none; border: 0; padding: 0;
          grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
        #tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
          padding: .7rem .9rem; }
        #tiles b { display: block; font-size: 1.45rem; font-variant-numeric: tabular-nums;
          white-space: nowrap; }
        #tiles span { color: var(--soft); font-size: .85rem; }
        svg { display: block; width: 100%; height: 120px; }
        .key i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px;
          background: currentColor; margin: 0 .3rem 0 .6rem; }
        table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
        th, td { text-align: right; padding: .2rem .4rem; border-top: 1px solid var(--line);
          white-space: nowrap; }
        tr:first-child > * { border-top: 0; }
        th { font-weight: 500; color: var(--soft); }
        th:first-child, td:first-child { text-align: left; padding-left: 0; }
        th:last-child, td:last-child { padding-right: 0; }
        a { color: inherit; }

        """#
}
