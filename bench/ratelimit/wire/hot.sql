SELECT idemstore.acquire('hot-1');
