"""An API of aiohttp: `aiohttp_server.py ADDRESS PORT SANDBOX-PORT CERTIFICATE IDLE-SECONDS` hands each
request on to the sandbox, and the answer back. Nothing is set but the certificate and, if it is not 0,
the idle limit."""

import ssl
import sys

import aiohttp
from aiohttp import web

OF_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "host"}


def main():
    address, port, sandbox, certificate, idle = sys.argv[1:]

    async def serve(request):
        headers = {name: value for name, value in request.headers.items()
                   if name.lower() not in OF_CONNECTION}
        try:
            async with request.app["session"].request(
                    request.method, f"http://127.0.0.1:{sandbox}{request.path_qs}", headers=headers,
                    data=request.content if request.body_exists else None) as reply:
                return web.Response(status=reply.status, body=await reply.read(), headers={
                    name: value for name, value in reply.headers.items()
                    if name.lower() not in {*OF_CONNECTION, "content-length"}})
        except aiohttp.ClientConnectionError:
            return web.Response(status=502)

    async def session(app):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=5)) as app["session"]:
            yield

    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", serve)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    limit = {"keepalive_timeout": float(idle)} if float(idle) else {}
    web.run_app(app, host=address, port=int(port), ssl_context=context, print=None, access_log=None, **limit)


if __name__ == "__main__":
    main()
