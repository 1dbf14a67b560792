// What Node runs: it tells what it was asked, and answers in several ways.
const http = require('http');
const crypto = require('crypto');

function answer(request, response, body) {
    const path = request.url.split('?')[0];
    if (path === '/missing') {
        response.writeHead(404, {'Content-Type': 'text/plain'});
        response.end('nothing here');
    } else if (path === '/stream') {
        response.writeHead(200, {'Content-Type': 'text/event-stream', 'Trailer': 'X-Sum'});
        let i = 0;
        const next = () => {
            while (i < 1000)
                if (!response.write(`data: ${i++}\n\n`))
                    return response.once('drain', next);
            response.addTrailers({'X-Sum': 'late'});
            response.end();
        };
        next();
    } else if (path === '/large') {
        response.writeHead(200, {'Content-Length': 10 << 20});
        for (let i = 0; i < 160; i++)
            response.write(Buffer.alloc(65536, i & 255));
        response.end();
    } else if (path === '/fails') {
        response.writeHead(200, {'Content-Length': 100});
        response.write('half', () => request.socket.destroy());
    } else if (path === '/hints') {
        response.writeEarlyHints({link: '</style.css>; rel=preload; as=style'});
        response.end('hinted');
    } else {
        response.setHeader('Set-Cookie', ['a=1', 'b=2']);
        response.end([request.method, path, request.url.split('?')[1] || '', request.headers.host,
            request.headers['x-forwarded-for'] || '-',
            crypto.createHash('sha1').update(body).digest('hex')].join(' '));
    }
}

const server = http.createServer((request, response) => {
    const pieces = [];
    request.on('data', piece => pieces.push(piece));
    request.on('end', () => answer(request, response, Buffer.concat(pieces)));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
