#!/bin/bash
cat restart-glance.sh | sshpass -p 'simulated-password' ssh rally@ctl01.example.org
