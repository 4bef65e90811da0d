-- One request, in a transaction of its own, and the answer.
INSERT INTO answers
SELECT allowed, decided_at, reason
FROM idemstore.consume('login/mallory');
