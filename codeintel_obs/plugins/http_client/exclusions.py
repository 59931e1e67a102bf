"""Public names of the watched libraries that are no point, each group with its reason: ``library:name`` patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_GROUPS: Final[Mapping[str, str]] = {
    "sends through the transport, which is the point: each attempt and each redirect is one request there": """
        httpx*:Client.[dghopr]* httpx*:Client.s* httpx*:Client.websocket httpx*:AsyncClient.[dghopqr]*
        httpx*:AsyncClient.s* httpx*:AsyncClient.websocket httpx2:Client.query
        httpx*:delete httpx*:get httpx*:head httpx*:options httpx*:patch httpx*:post httpx*:put httpx2:query
        httpx*:request httpx*:stream httpx2:websocket
    """,
    "sends through httpx2 (or the httpx client that it was given), whose transport is the point": """
        openai:*Client.* openai:*OpenAI.*
    """,
    "sends through urllib3, whose pool makes each attempt in the point": """
        requests:Session.[dghop]* requests:Session.re[qs]* requests:Session.send
        requests:delete requests:get requests:head requests:options requests:patch requests:post requests:put
        requests:request requests:session
    """,
    "sends through HTTPConnectionPool._make_request, which is the point: retries call it once each": """
        urllib3:HTTP*ConnectionPool.[iru]* urllib3:P*Manager.[ru]* urllib3:request
    """,
    "sends through BaseConnector.connect, which is the point": """
        aiohttp:ClientSession.[ghopr]* aiohttp:ClientSession.delete aiohttp:ClientSession.ws_connect aiohttp:request
    """,
    "reads the body of an answer, whose end is seen where the library takes it off the wire": """
        httpx*:Response.* httpx2:ServerSentEvent.* openai:*Stream.* requests:Response.*
        urllib3:*HTTPResponse.[dfgijrst]* urllib3:BaseHTTPResponse.close aiohttp:ClientResponse.[cgjrtw]*
        aiohttp:StreamReader.[abegiosuw]* aiohttp:StreamReader.readline aiohttp:StreamReader.read_nowait
        aiohttp:BodyPartReader.* aiohttp:MultipartReader.*
    """,
    "a transport of somebody's own, or one with no wire: what it sends through a watched one is told there": """
        httpx*:ASGITransport.* httpx*:WSGITransport.* httpx*:MockTransport.* httpx*:*BaseTransport.*
    """,
    "ends connections; no request is sent": """
        httpx*:*Client.aclose httpx*:Client.close httpx*:AsyncHTTPTransport.aclose httpx*:HTTPTransport.close
        requests:Session.close urllib3:*ConnectionPool.close urllib3:P*Manager.clear aiohttp:*Connector.close
        aiohttp:*Connector.clear_dns_cache aiohttp:ClientSession.close aiohttp:ClientSession.detach
    """,
    "builds a request in memory, or describes one": """
        httpx*:*Client.build_request httpx*:Request.* httpx*:*ByteStream.* httpx*:Headers.* httpx*:Cookies.*
        httpx*:QueryParams.* httpx*:URL.* httpx*:Timeout.* httpx*:*Auth.* requests:PreparedRequest.* requests:Request.*
        requests:Session.m* requests:Session.should_strip_auth requests:Session.rebuild_*
        urllib3:HTTPHeaderDict.* urllib3:Retry.*
        urllib3:Timeout.* urllib3:P*Manager.connection_from_* urllib3:connection_from_url urllib3:proxy_from_url
        urllib3:encode_multipart_formdata urllib3:make_headers aiohttp:*Payload.* aiohttp:MultipartWriter.*
        aiohttp:FormData.* aiohttp:BasicAuth.* aiohttp:*CookieJar.* aiohttp:ChainMapProxy.* aiohttp:Fingerprint.*
        aiohttp:TraceConfig.* aiohttp:ClientRequest.[ctiuw]* aiohttp:content_disposition_filename
        aiohttp:encode_basic_auth aiohttp:get_payload aiohttp:parse_content_disposition openai:BaseModel.*
        openai:file_from_path
    """,
    "a setting of the library": """
        httpx*:create_ssl_context httpx2:alias_httpx urllib3:add_stderr_logger urllib3:disable_warnings
        aiohttp:set_zlib_backend openai:Default*Client
    """,
    "looks up a name for the connection, which is a part of the point": "aiohttp:*Resolver.*",
    "one message on a websocket, whose step is the request that opened it": """
        aiohttp:ClientWebSocketResponse.* aiohttp:WSMessage.* aiohttp:*DataQueue.*
    """,
    "a server's side": "aiohttp:Gunicorn*.*",
    "drives a screen, and speaks to no server": "openai:*ComputerDriver.* openai:*ComputerToolset.*",
}

EXCLUSIONS: Final = {name: reason for reason, names in _GROUPS.items() for name in names.split()}
