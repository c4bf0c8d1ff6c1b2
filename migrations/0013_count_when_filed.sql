-- From here an exchange is counted when it is filed. What was filed before and not counted yet is filed again.
DELETE FROM filed_exchanges WHERE (client_id, jti) IN
    (SELECT l.client_id, l.jti FROM unfiled_exchanges AS u JOIN ledger AS l ON l.jti = u.jti);
